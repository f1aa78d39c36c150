"""Watches over databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from aimeter_cli.db.engine import Database
from tests.support.receiver import Receiver, receiving
from tests.support.watch import Watch


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@pytest.fixture
def watch(database: Database) -> Iterator[Watch]:
    made = Watch(database)
    yield made
    made.world.close()


@pytest.fixture
def any_watch(any_database: Database) -> Iterator[Watch]:
    made = Watch(any_database)
    yield made
    made.world.close()
