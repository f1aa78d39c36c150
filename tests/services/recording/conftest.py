"""A world without Stripe: recording needs none."""

from typing import cast

import pytest

from aimeter_cli.db.engine import Database
from aimeter_cli.sandbox.client import SandboxControl
from tests.support.world import World, sandbox_settings

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def world(database: Database) -> World:
    """On SQLite."""
    return World(database, cast(SandboxControl, None), sandbox_settings(NOWHERE))


@pytest.fixture
def any_world(any_database: Database) -> World:
    """On SQLite and on PostgreSQL."""
    return World(any_database, cast(SandboxControl, None), sandbox_settings(NOWHERE))
