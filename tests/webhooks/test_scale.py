"""Many events, replayed twice: the second time changes no row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.event import listen
from sqlmodel import SQLModel

from aimeter_cli.db.engine import Database
from aimeter_cli.webhooks.replay import replay
from tests.webhooks.conftest import World
from tests.webhooks.doors.assembly import intake_of
from tests.webhooks.many import EACH, subscribe, write_events

EVENTS = 63 * EACH
"""A tenth of what the bench replays twice."""


def replayed(database: Database, file: Path, **options: Any) -> Counter[str]:
    taken = replay(intake_of(World(database)), [file], **options)
    return Counter(result.status for some in taken for result in some.results)


def rows(database: Database) -> dict[str, Sequence[Any]]:
    """Every row of every table."""
    with database.read() as session:
        run = session.connection().exec_driver_sql
        return {
            name: run(f"SELECT * FROM {name} ORDER BY 1").all() for name in SQLModel.metadata.tables
        }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "events.jsonl"
    made.write_text("\n".join(write_events(EVENTS)) + "\n", encoding="utf-8")
    return made


def test_events_replayed_twice_change_no_row_the_second_time(
    database: Database, file: Path
) -> None:
    subscribe(database, EVENTS)
    first = replayed(database, file)
    assert first.total() == EVENTS
    assert first["processed"] > EVENTS / 2
    assert set(first) == {"processed", "ignored"}
    before = rows(database)
    assert len(before["ai_webhook_events"]) == EVENTS
    assert replayed(database, file) == {
        "duplicate": first["processed"], "ignored": first["ignored"],
    }  # fmt: skip
    assert rows(database) == before


def test_events_replayed_twice_by_force_tell_nothing_twice(database: Database, file: Path) -> None:
    subscribe(database, EVENTS)
    replayed(database, file)
    before = rows(database)
    replayed(database, file, force=True)
    after = rows(database)
    for name in set(after) - {"ai_webhook_events"}:  # attempts are counted
        assert after[name] == before[name], name


def test_every_history_ends_as_it_should(database: Database, file: Path) -> None:
    """Renewed thrice, then changed to the other plan or ended; nobody is left in grace."""
    subscribe(database, EVENTS)
    replayed(database, file)
    subscriptions = EVENTS // EACH
    with database.read() as session:
        run = session.connection().exec_driver_sql
        [(grace, ended, changed)] = run(
            "SELECT count(grace_period_ends_at), count(ends_at), sum(plan_id = 2)"
            " FROM ai_subscriptions"
        ).all()
        told = Counter(name for (name,) in run("SELECT name FROM ai_domain_events").all())
    assert grace == 0
    assert ended == len([n for n in range(subscriptions) if n % 4 == 0])
    assert changed == told["PlanChanged"]
    assert told["PaymentFailed"] == subscriptions


def test_no_event_is_looked_for_among_all_of_the_inbox(database: Database, file: Path) -> None:
    """What an event costs must not grow with those before it: every statement has its index."""
    some = "\n".join(file.read_text(encoding="utf-8").splitlines()[: 4 * EACH])
    file.write_text(some, encoding="utf-8")
    subscribe(database, EVENTS)
    database.dispose()
    said: set[str] = set()
    listen(database.engine, "connect", lambda made, _: made.set_trace_callback(said.add))
    replayed(database, file)
    replayed(database, file)
    database.dispose()
    events = {each for each in said if "ai_webhook_events" in each and "INSERT" not in each}
    assert len(events) > EACH
    with database.read() as session:
        run = session.connection().exec_driver_sql
        steps = {str(row[3]) for each in events for row in run(f"EXPLAIN QUERY PLAN {each}")}
    assert {step for step in steps if step.startswith("SCAN ai_webhook_events")} == set()
