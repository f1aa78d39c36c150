"""Ten thousand usages and ten million, in small."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlmodel import func, select

from aimeter_cli.db.engine import Database
from aimeter_cli.migrations.upgrade import upgrade
from aimeter_cli.models.usages import Usage, UsageCounter
from tests.bench.full.quota import figure, load


def test_everybody_has_used_the_same_in_every_month(any_database: Database) -> None:
    load(any_database, each=4, billables=3, months=2)
    with any_database.read() as session:
        assert session.exec(select(func.count()).select_from(Usage)).one() == 3 * 2 * 4
        counters = session.exec(select(UsageCounter)).all()
        assert len(session.exec(select(Usage.counter_id).distinct()).all()) == len(counters) == 6
    assert {(row.tokens, row.requests) for row in counters} == {(4000, 4)}


def test_a_check_that_finds_nothing_used_is_no_measurement(
    database: Database, tmp_path: Path
) -> None:
    load(database, each=1, billables=3, months=1)
    empty = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    upgrade(empty)
    with pytest.raises(RuntimeError, match="has used nothing"):
        figure("x", database, empty, billables=3, months=1, checks=2, pairs=1)
    empty.dispose()
    told = figure("x", database, database, billables=3, months=1, checks=2, pairs=1)
    assert told.value > 0
    assert told.goal == 1.2
