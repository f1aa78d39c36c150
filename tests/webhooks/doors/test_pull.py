"""``webhooks pull``: Stripe's list of events instead of deliveries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlmodel import select

from aimeter_cli.billing.base import Account, Reply
from aimeter_cli.billing.null import NullDriver
from aimeter_cli.billing.stripe import StripeDriver
from aimeter_cli.domain.sync import Answer
from aimeter_cli.errors import AimeterError, ConfigurationError, Interrupted
from aimeter_cli.models.installation import Installation
from aimeter_cli.models.job_runs import JobRun
from aimeter_cli.settings.table import Settings
from aimeter_cli.webhooks.pull import OVERLAP, Pull
from aimeter_cli.webhooks.registry import HANDLERS
from aimeter_cli.webhooks.results import EventResult
from tests.webhooks.conftest import NOW, World
from tests.webhooks.doors.assembly import Parts
from tests.webhooks.payloads import (
    Event,
    deletion,
    event,
    failure,
    payment,
    renewal,
    subscription,
)

EVENTS = [renewal(), failure(), payment(), deletion()]
IDS = [each["id"] for each in EVENTS]


class Listing(StripeDriver):
    """A driver that lists events, newest first, and at the end perhaps what went wrong."""

    def __init__(self, events: Sequence[Event], fault: Reply | None = None) -> None:
        super().__init__(Settings(billing_driver="stripe", stripe_api_key="sk_test_listing"))
        self.listed, self.fault = list(events), fault
        self.asked: list[tuple[Sequence[str], datetime, bool]] = []
        self.whose = Account("acct_1", livemode=False)

    def account(self) -> Account:
        return self.whose

    def events(
        self, types: Sequence[str], created_since: int, *, undelivered: bool = False
    ) -> Iterator[Any]:
        self.asked.append((types, datetime.fromtimestamp(created_since, NOW.tzinfo), undelivered))
        yield from (
            each for each in reversed(self.listed)
            if each["created"] >= created_since and each["type"] in types
        )  # fmt: skip
        if self.fault is not None:
            yield self.fault


def pull(world: World, driver: Any, **options: Any) -> list[EventResult]:
    now = options.pop("now", NOW)
    pulling = Pull(Parts(world.database, world.settings, driver, now), **options)
    return [result for taken in pulling.run() for result in taken.results]


def cursor(world: World) -> datetime | None:
    with world.database.read() as session:
        return session.get_one(Installation, 1).events_pulled_until


def jobs(world: World) -> list[JobRun]:
    with world.database.read() as session:
        return list(session.exec(select(JobRun)))


def set_cursor(world: World, moment: datetime) -> None:
    with world.database.write() as session:
        here = session.get_one(Installation, 1)
        here.events_pulled_until = moment
        session.add(here)


def test_the_first_pull_reads_30_days_of_our_types_and_handles_the_oldest_first(
    world: World,
) -> None:
    driver = Listing(EVENTS)
    assert [each.event_id for each in pull(world, driver)] == IDS
    [(types, since, undelivered)] = driver.asked
    assert set(types) == set(HANDLERS)
    assert since == NOW - timedelta(days=30)
    assert not undelivered
    assert cursor(world) == NOW


def test_the_next_pull_goes_on_from_there_and_reads_an_overlap_again(world: World) -> None:
    driver = Listing(EVENTS)
    pull(world, driver)
    late = payment(at="2026-12-30T23:00:00", kind="invoice.payment_succeeded")
    driver.listed.append(late)  # listed late, made before the first pull
    later = NOW + timedelta(hours=1)
    assert [each.event_id for each in pull(world, driver, now=later)] == [late["id"]]
    assert driver.asked[1][1] == NOW - OVERLAP
    assert timedelta(hours=1) <= OVERLAP
    assert cursor(world) == later


def test_events_of_one_second_come_in_stripes_order(world: World) -> None:
    first, second = renewal(at="2026-12-05"), renewal(at="2026-12-05")
    first["id"], second["id"] = "evt_b", "evt_a"
    assert [e.event_id for e in pull(world, Listing([first, second]))] == ["evt_b", "evt_a"]


def test_a_list_that_breaks_off_is_used_but_the_cursor_stays(world: World) -> None:
    fault = Reply(Answer.UNREADABLE, reason="no answer from Stripe")
    with pytest.raises(AimeterError, match="no answer from Stripe") as raised:
        pull(world, Listing(EVENTS, fault))
    assert raised.value.exit_code == 1
    assert {each.event_id for each in world.stored()} == set(IDS)
    assert cursor(world) is None
    assert jobs(world)[0].exit_code == 1


def test_a_key_that_may_not_list_events_is_a_fault_of_the_configuration(world: World) -> None:
    with pytest.raises(ConfigurationError, match="403"):
        pull(world, Listing([], Reply(Answer.MISCONFIGURED, reason="403")))


def test_a_failed_event_is_stored_so_the_cursor_moves_and_the_job_says_3(world: World) -> None:
    broken = renewal(at="2026-12-01T00:00:06")
    broken["data"]["object"]["ended_at"] = "soon"
    results = pull(world, Listing([*EVENTS, broken]))
    assert [each.status for each in results].count("failed") == 1
    assert cursor(world) == NOW
    assert (jobs(world)[0].command, jobs(world)[0].exit_code) == ("webhooks pull", 3)


def test_a_pull_killed_before_its_end_leaves_the_cursor(world: World) -> None:
    pulling = Pull(Parts(world.database, world.settings, Listing(EVENTS)))
    pulling.stop.stop(15)
    with pytest.raises(Interrupted):
        list(pulling.run())
    assert cursor(world) is None


@pytest.mark.parametrize(
    ("options", "moves"),
    [({"undelivered": True}, False), ({"since": NOW - timedelta(hours=1)}, False),
     ({"since": NOW - timedelta(days=7)}, False), ({"since": NOW - timedelta(days=9)}, True),
     ({"dry_run": True}, False)],
)  # fmt: skip
def test_only_a_pull_that_leaves_nothing_out_moves_the_cursor(
    world: World, options: dict[str, Any], moves: bool
) -> None:
    before = NOW - timedelta(days=7)
    set_cursor(world, before)
    driver = Listing(EVENTS)
    pull(world, driver, **options)
    assert driver.asked[0][2] == options.get("undelivered", False)
    assert cursor(world) == (NOW if moves else before)


def test_a_dry_run_tells_and_keeps_nothing(world: World) -> None:
    results = pull(world, Listing(EVENTS), dry_run=True)
    assert all(each.changes for each in results)
    assert (world.stored(), jobs(world)) == ([], [])


def test_a_gap_that_stripe_does_not_list_any_more_is_told_once(world: World) -> None:
    set_cursor(world, NOW - timedelta(days=40))
    pulling = Pull(Parts(world.database, world.settings, Listing(EVENTS)))
    list(pulling.run())
    assert pulling.gap is not None
    assert "2026-11-21 00:00 to 2026-12-01 00:00 UTC are missing" in pulling.gap
    again = Pull(Parts(world.database, world.settings, Listing(EVENTS)))
    list(again.run())
    assert again.gap is None


def test_a_gap_in_which_events_came_another_way_is_no_fault(world: World) -> None:
    set_cursor(world, NOW - timedelta(days=40))
    world.receive(renewal(at="2026-11-25"))
    pulling = Pull(Parts(world.database, world.settings, Listing(EVENTS)))
    list(pulling.run())
    assert pulling.gap is not None
    assert pulling.is_gap_covered


def test_a_first_pull_of_the_last_hour_leaves_the_days_before_to_the_next_one(
    world: World,
) -> None:
    driver = Listing(EVENTS)
    assert pull(world, driver, since=NOW - timedelta(hours=1)) == []
    assert cursor(world) is None
    assert [each.event_id for each in pull(world, driver)] == IDS


def test_a_first_pull_of_all_that_stripe_lists_moves_the_cursor(world: World) -> None:
    pull(world, Listing(EVENTS), since=NOW - timedelta(days=30))
    assert cursor(world) == NOW


def test_a_clock_that_is_ahead_of_stripes_passes_nothing_over(world: World) -> None:
    driver = Listing(EVENTS)
    driver.whose = Account("acct_1", livemode=False, told_at=NOW)
    ahead = NOW + timedelta(days=400)
    assert [each.event_id for each in pull(world, driver, now=ahead)] == IDS
    assert cursor(world) == NOW


def test_an_ignored_event_is_known_when_it_comes_again(world: World) -> None:
    unknown = event("customer.subscription.updated", subscription(id="sub_Else"), "2026-12-02")
    driver = Listing([unknown])
    seen = [pull(world, driver, since=NOW - timedelta(days=30))[0] for _ in range(2)]
    assert [(each.status, each.is_known) for each in seen] == [("ignored", False),
                                                              ("ignored", True)]  # fmt: skip


def test_two_pulls_of_the_same_events_change_nothing_twice(any_world: World) -> None:
    driver = Listing(EVENTS)
    pull(any_world, driver)
    before = any_world.state(), any_world.stored(), any_world.told()
    again = pull(any_world, driver, since=NOW - timedelta(days=30))
    assert {each.status for each in again} == {"duplicate"}
    assert (any_world.state(), any_world.stored(), any_world.told()) == before


def test_the_cursor_never_moves_back(world: World) -> None:
    set_cursor(world, NOW + timedelta(hours=1))  # another pull has come further meanwhile
    pull(world, Listing([]))
    assert cursor(world) == NOW + timedelta(hours=1)


def test_without_a_driver_or_a_key_it_is_refused(world: World) -> None:
    for driver in (NullDriver(Settings()), StripeDriver(Settings(billing_driver="stripe"))):
        with pytest.raises(ConfigurationError):
            pull(world, driver)


def test_a_key_of_another_account_is_refused_and_its_events_too(world: World) -> None:
    with world.database.write() as session:
        here = session.get_one(Installation, 1)
        here.stripe_account, here.stripe_livemode = "acct_other", False
        session.add(here)
    with pytest.raises(ConfigurationError, match="acct_1"):
        pull(world, Listing(EVENTS))
    assert (world.stored(), cursor(world)) == ([], None)


def test_a_key_of_the_other_mode_is_refused_and_its_events_too(world: World) -> None:
    with world.database.write() as session:
        here = session.get_one(Installation, 1)
        here.stripe_livemode = True
        session.add(here)
    with pytest.raises(ConfigurationError, match="test mode"):
        pull(world, Listing(EVENTS))
    assert world.stored() == []
