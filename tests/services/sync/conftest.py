"""A world on a sandbox that is emptied before each test."""

from collections.abc import Iterator

import pytest

from aimeter_cli.db.engine import Database
from aimeter_cli.sandbox.client import SandboxControl
from tests.support.world import World, sandbox_settings


@pytest.fixture
def world(database: Database, sandbox: SandboxControl) -> Iterator[World]:
    """On SQLite."""
    made = World(database, sandbox, sandbox_settings(sandbox.url))
    yield made
    made.close()


@pytest.fixture
def any_world(any_database: Database, sandbox: SandboxControl) -> Iterator[World]:
    """On SQLite and on PostgreSQL."""
    made = World(any_database, sandbox, sandbox_settings(sandbox.url))
    yield made
    made.close()
