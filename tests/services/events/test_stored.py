"""The outbox as people see it: listed with its deliveries, tried again, pruned, not copied."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from aimeter_cli.domain.events import EventName
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.errors import Conflict, NotFound
from aimeter_cli.services.copying import mark_copy
from aimeter_cli.services.events.stored import (
    StoredEvent,
    list_events,
    prune_events,
    retry_events,
    show_event,
)
from aimeter_cli.settings.table import Settings
from tests.conftest import NOW
from tests.services.events.conftest import Filer, Outbox

BAD = {"name": "bad", "command": ["/bin/sh", "-c", "exit 1"], "events": ["PaymentFailed"]}


def ids(found: list[StoredEvent]) -> list[int]:
    return [event.id for event in found]


@pytest.fixture
def mixed(outbox: Outbox, filer: Filer) -> tuple[Outbox, int, int, int]:
    """One given up by ``bad``, one that ``good`` has, one that is new."""
    outbox.sinks(BAD, filer("good"), event_max_attempts=1)
    [failed] = outbox.emit()
    [delivered] = outbox.emit(name=EventName.PLAN_CHANGED)
    outbox.deliver()
    [new] = outbox.emit(name=EventName.PLAN_CHANGED, days=1)
    return outbox, failed, delivered, new


def test_events_are_listed_newest_first_with_their_deliveries(
    mixed: tuple[Outbox, int, int, int],
) -> None:
    outbox, failed, delivered, new = mixed
    found = list_events(outbox.database)
    assert ids(found) == [new, delivered, failed]
    assert [event.delivery for event in found] == [
        "new", "good delivered", "bad failed (exit 1), good delivered",
    ]  # fmt: skip
    last = found[-1]
    assert (last.billable, last.payload) == ("user:42", {"number": 0})
    assert last == show_event(outbox.database, failed)
    with pytest.raises(NotFound, match="there is no event 99"):
        show_event(outbox.database, 99)


def test_events_are_listed_by_name_billable_time_and_state(
    mixed: tuple[Outbox, int, int, int],
) -> None:
    outbox, failed, delivered, new = mixed

    def listed(**filters: Any) -> list[int]:
        return ids(list_events(outbox.database, **filters))

    assert listed(name="PlanChanged") == [new, delivered]
    assert listed(since=NOW - timedelta(hours=1)) == [delivered, failed]
    assert listed(billable=BillableRef("user", "42"), limit=1) == [new]
    assert listed(failed=True) == [failed]
    assert listed(undelivered=True) == [new]
    retry_events(outbox.database, None)
    assert listed(undelivered=True) == [new, failed]
    with pytest.raises(NotFound, match="there is no billable user:7"):
        listed(billable=BillableRef("user", "7"))


def test_what_was_given_up_is_delivered_after_a_retry(
    mixed: tuple[Outbox, int, int, int], filer: Filer
) -> None:
    outbox, failed, _, new = mixed
    assert ids(retry_events(outbox.database, None, dry_run=True)) == [failed]
    assert ids(list_events(outbox.database, failed=True)) == [failed]
    assert ids(retry_events(outbox.database, [failed])) == [failed]
    assert retry_events(outbox.database, None) == []
    outbox.sinks(filer("bad", events=["PaymentFailed"]), filer("good"))
    report = outbox.deliver()
    assert sorted((each.event_id, each.sink, each.attempts) for each in report.deliveries) == [
        (failed, "bad", 1), (new, "good", 1),
    ]  # fmt: skip


def test_a_retry_of_what_is_not_there_or_delivered_changes_nothing(
    mixed: tuple[Outbox, int, int, int],
) -> None:
    outbox, failed, delivered, _ = mixed
    with pytest.raises(NotFound, match="there is no event 99"):
        retry_events(outbox.database, [failed, 99])
    with pytest.raises(Conflict, match=f"event {delivered} has nothing to deliver"):
        retry_events(outbox.database, [failed, delivered])
    assert ids(list_events(outbox.database, failed=True)) == [failed]


def test_pruning_keeps_what_is_new_on_its_way_or_given_up(
    mixed: tuple[Outbox, int, int, int],
) -> None:
    outbox, failed, _, new = mixed
    later = NOW + timedelta(days=100)

    def prune(days: int, **more: Any) -> int:
        return prune_events(
            outbox.database, outbox.settings, older_than=timedelta(days=days), now=later, **more
        )

    assert prune(101) == 0
    assert prune(90, dry_run=True) == 1
    assert prune(90) == 1
    assert ids(list_events(outbox.database)) == [new, failed]
    outbox.settings = Settings()
    assert prune(90) == 1, "without a sink nobody waits for what is new"
    assert ids(list_events(outbox.database)) == [failed]


def test_pruning_goes_through_all_batches(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aimeter_cli.services.events.stored._BATCH", 3)
    outbox.emit(8)
    outbox.deliver()
    later = NOW + timedelta(days=2)
    age = timedelta(days=1)
    assert prune_events(outbox.database, outbox.settings, older_than=age, now=later) == 8
    assert list_events(outbox.database) == []


def test_a_copy_delivers_nothing_of_the_original(
    mixed: tuple[Outbox, int, int, int], filer: Filer
) -> None:
    outbox, *_ = mixed
    mark_copy(outbox.database, now=NOW)
    outbox.sinks(filer("bad"), filer("good"))
    assert retry_events(outbox.database, None) == []
    assert outbox.deliver().selected == 0
