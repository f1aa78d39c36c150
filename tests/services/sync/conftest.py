"""A world on a sandbox that is emptied before each test."""

from collections.abc import Iterator

import pytest

from aimeter_cli.db.engine import Database
from aimeter_cli.sandbox.client import SandboxControl
from aimeter_cli.sandbox.process import running
from tests.support.stripe_openapi import check_ledger
from tests.support.world import World, sandbox_settings

_DEFAULTS = {
    "rate_limit": None,
    "latency_ms": 0,
    "key_retention": 86_400,
    "lock_timeout": "off",
    "replay_header": True,
}


@pytest.fixture(scope="session")
def sandbox_process() -> Iterator[SandboxControl]:
    with running() as control:
        yield control


@pytest.fixture
def sandbox(sandbox_process: SandboxControl) -> Iterator[SandboxControl]:
    """Every request that our driver made is checked against Stripe's own description."""
    sandbox_process.wait_until_settled()
    sandbox_process.reset()
    sandbox_process.set(**_DEFAULTS)
    yield sandbox_process
    assert check_ledger(sandbox_process) == []


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
