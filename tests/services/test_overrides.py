"""Overrides are set, listed and removed; those of a billable never overlap."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from aimeter_cli.db.engine import Database
from aimeter_cli.errors import AimeterError, Conflict, InvalidInput, NotFound
from aimeter_cli.services.billables import create_billable
from aimeter_cli.services.overrides import (
    NewOverride,
    OverrideView,
    list_overrides,
    remove_override,
    set_override,
)
from aimeter_cli.settings.table import Settings
from tests.conftest import NOW, Clock
from tests.services.world_of_plans import ANCHORED, OTHER, USER, a_plan, a_subscription, day

NOV, DEC, JAN = (datetime(*ym, 1, tzinfo=UTC) for ym in ((2026, 11), (2026, 12), (2027, 1)))
SETTINGS = Settings()


@pytest.fixture
def subscribed(any_database: Database, clock: Clock) -> Database:
    """``user:42`` on the plan pro, since today."""
    a_plan(any_database, clock(), token_limit=1000)
    a_subscription(any_database, clock())
    return any_database


def override(database: Database, now: datetime = NOW, **fields: Any) -> OverrideView:
    given: dict[str, Any] = {"billable": USER, "tokens": 5} | fields
    new = NewOverride(**given)
    return set_override(database, SETTINGS, new, now=now)


def spans(database: Database) -> list[tuple[datetime, datetime]]:
    found = list_overrides(database, SETTINGS, now=NOW, include_ended=True)
    return [(view.override.starts_at, view.override.ends_at) for view in found]


def test_it_holds_for_the_metering_period_if_not_told_otherwise(subscribed: Database) -> None:
    made = override(subscribed, tokens=7, cost="unlimited", reason="launch")
    row = made.override
    assert (row.starts_at, row.ends_at, made.status, made.currency) == (NOV, DEC, "running", "usd")
    assert (row.token_limit, row.cost_limit, row.request_limit) == (7, None, None)
    assert (made.lifts, row.reason) == (["cost"], "launch")
    [listed] = list_overrides(subscribed, SETTINGS, now=NOW, billable=USER)
    assert (listed.override.id, listed.billable.ref, listed.currency) == (row.id, "user:42", "usd")


def test_one_from_a_day_on_ends_with_the_period_of_that_day(subscribed: Database) -> None:
    override(subscribed, starts_at=datetime(2026, 12, 10, tzinfo=UTC))
    override(subscribed, ends_at=day(1))
    assert spans(subscribed) == [(NOV, day(1)), (datetime(2026, 12, 10, tzinfo=UTC), JAN)]


def test_an_anchored_period_is_the_subscriptions_own(any_database: Database, clock: Clock) -> None:
    a_plan(any_database, clock())
    a_subscription(any_database, clock(), rule=ANCHORED)
    override(any_database, now=day(3))
    assert spans(any_database) == [(NOW, datetime(2026, 12, 15, 12, tzinfo=UTC))]


@pytest.mark.parametrize(
    ("fields", "kind", "message"),
    [
        ({"tokens": None}, InvalidInput, "give --tokens, --cost, --requests or several of them"),
        ({"billable": OTHER}, NotFound, "there is no billable user:43"),
        (
            {"starts_at": DEC, "ends_at": DEC},
            InvalidInput,
            "--until: 2026-12-01T00:00:00Z does not lie after the start, 2026-12-01T00:00:00Z",
        ),
        (
            {"starts_at": datetime(2026, 11, 30, tzinfo=UTC), "ends_at": JAN},
            Conflict,
            "user:42 has an override from 2026-11-01T00:00:00Z to 2026-12-01T00:00:00Z already: 1",
        ),
    ],
)
def test_what_cannot_be_is_refused_whole(
    fields: dict[str, Any], kind: type[AimeterError], message: str, subscribed: Database
) -> None:
    override(subscribed)
    with pytest.raises(kind) as caught:
        override(subscribed, **fields)
    assert caught.value.message == message
    assert len(spans(subscribed)) == 1


def test_one_may_begin_where_another_ends(subscribed: Database) -> None:
    override(subscribed)
    override(subscribed, starts_at=DEC)
    override(subscribed, starts_at=datetime(2026, 10, 1, tzinfo=UTC), ends_at=NOV)
    assert len(spans(subscribed)) == 3


def test_without_a_subscription_the_end_must_be_told(any_database: Database) -> None:
    create_billable(any_database, OTHER, {}, now=NOW)
    with pytest.raises(InvalidInput, match="--until: required, since user:43 has no subscription"):
        override(any_database, billable=OTHER)
    made = override(any_database, billable=OTHER, cost=Decimal(3), ends_at=day(2))
    assert (made.override.starts_at, made.override.ends_at, made.currency) == (NOW, day(2), "usd")


def test_removing_ends_a_running_one_and_deletes_one_that_is_to_come(subscribed: Database) -> None:
    running, coming = override(subscribed), override(subscribed, starts_at=DEC)
    view, deleted = remove_override(subscribed, SETTINGS, running.override.id, now=day(2))
    assert (view.override.ends_at, deleted) == (day(2), False)
    view, deleted = remove_override(subscribed, SETTINGS, coming.override.id, now=day(2))
    assert deleted
    assert spans(subscribed) == [(NOV, day(2))]
    with pytest.raises(Conflict, match="the override 1 ended on 2026-11-17T12:00:00Z already"):
        remove_override(subscribed, SETTINGS, running.override.id, now=day(3))
    with pytest.raises(NotFound, match="there is no override 2"):
        remove_override(subscribed, SETTINGS, coming.override.id, now=day(3))
    assert list_overrides(subscribed, SETTINGS, now=day(3)) == []


def test_the_next_one_of_a_period_begins_where_the_removed_one_ended(subscribed: Database) -> None:
    remove_override(subscribed, SETTINGS, override(subscribed).override.id, now=day(1))
    override(subscribed, now=day(2))
    assert spans(subscribed) == [(NOV, day(1)), (day(1), DEC)]


def test_a_rehearsal_changes_nothing(subscribed: Database) -> None:
    new = NewOverride(USER, tokens=5)
    assert set_override(subscribed, SETTINGS, new, now=NOW, dry_run=True).status == "running"
    assert spans(subscribed) == []
    made = override(subscribed)
    remove_override(subscribed, SETTINGS, made.override.id, now=NOW, dry_run=True)
    assert spans(subscribed) == [(NOV, DEC)]


def test_of_writers_at_once_one_sets_it_and_the_others_are_refused(subscribed: Database) -> None:
    start = threading.Barrier(6)
    told: list[int | str] = []

    def write() -> None:
        start.wait()
        try:
            told.append(override(subscribed).override.id)
        except Conflict as error:
            told.append(error.message)

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(isinstance(each, int) for each in told) == 1
    assert (len(told), len(spans(subscribed))) == (6, 1)
