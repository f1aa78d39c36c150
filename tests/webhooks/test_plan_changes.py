"""Plans that change here at renewal, and what Stripe's events make of them."""

from __future__ import annotations

import json
from datetime import datetime
from itertools import permutations

import pytest
from sqlmodel import select

from aimeter_cli.domain.pricing import NO_PRICES
from aimeter_cli.domain.subscription import plan_at
from aimeter_cli.domain.usage import usage_line
from aimeter_cli.models.usages import UsageCounter
from aimeter_cli.services.recording.record import Recorder
from aimeter_cli.services.subscriptions.change_plan import change_plan
from aimeter_cli.webhooks import inbox
from tests.webhooks.conftest import World
from tests.webhooks.payloads import deletion
from tests.webhooks.test_subscriptions import day, update

RENEWAL = day("2026-12-01")


def scheduled(world: World) -> None:
    """``pro`` until December, then ``max``."""
    now = day("2026-11-02")
    change_plan(world.database, "user:42", "max", now=now, at="renewal")
    assert (world.subscription().next_plan_id, world.subscription().plan_changes_at) == (2, RENEWAL)


def receive(world: World, at: str, price: str) -> None:
    """An event that arrives at once."""
    event = json.dumps(update(at, price=price))
    inbox.receive(world.database, world.settings, event, now=day(at), source="test")


def plans(world: World) -> list[int]:
    """Before and after the renewal."""
    moments: list[datetime] = [day("2026-11-30"), RENEWAL]
    return [plan_at(world.subscription(), moment) for moment in moments]


def test_an_event_of_the_plan_of_now_leaves_a_change_to_come(any_world: World) -> None:
    scheduled(any_world)
    receive(any_world, "2026-11-10", "price_pro")
    assert plans(any_world) == [1, 2]


def test_an_event_of_the_next_plan_brings_it_forward(any_world: World) -> None:
    scheduled(any_world)
    receive(any_world, "2026-11-10", "price_max")
    assert plans(any_world) == [2, 2]
    receive(any_world, "2026-12-02", "price_max")
    [(name, payload)] = any_world.told()
    assert (name, payload["previous_plan"], payload["plan"]) == ("PlanChanged", "pro", "max")
    assert payload["effective_at"] == "2026-11-10T00:00:00Z"


@pytest.mark.parametrize(("price", "after"), [("price_max", 2), ("price_pro", 1)])
def test_after_the_change_stripes_price_decides(any_world: World, price: str, after: int) -> None:
    scheduled(any_world)
    receive(any_world, "2026-12-02", price)
    assert plan_at(any_world.subscription(), day("2026-12-02")) == after
    told = [(each["previous_plan"], each["plan"]) for _, each in any_world.told()]
    assert told[0] == ("pro", "max")
    assert told[1:] == ([] if after == 2 else [("max", "pro")])


def days(world: World) -> list[int]:
    """The plan of some days of November."""
    return [plan_at(world.subscription(), day(f"2026-11-{at:02}")) for at in (3, 5, 9, 10, 15, 20)]


CHANGES = (("2026-11-05", "price_max"), ("2026-11-10", "price_mid"), ("2026-11-15", "price_pro"))


@pytest.mark.parametrize("order", list(permutations(CHANGES)))
def test_changes_at_stripe_are_kept_in_whatever_order_they_come(
    any_world: World, order: tuple[tuple[str, str], ...]
) -> None:
    any_world.add_plan("mid", "price_mid")
    for at, price in order:
        any_world.receive(update(at, price=price))
    assert days(any_world) == [1, 2, 2, 3, 1, 1]


@pytest.mark.parametrize("order", list(permutations((*CHANGES, ("2026-11-12", "price_mid")))))
def test_what_is_late_holds_until_the_next_event_only(
    world: World, order: tuple[tuple[str, str], ...]
) -> None:
    """An event that shows no change is one, too; one of an unknown price tells nothing."""
    world.add_plan("mid", "price_mid")
    world.receive(update("2026-11-20", price="price_pro"))
    for at, price in order:
        world.receive(update(f"{at}T01:00:00", price="price_unknown"))
        world.receive(update(at, price=price))
    assert days(world) == [1, 2, 2, 3, 1, 1]


def test_late_usage_counts_against_the_plan_before_a_change_at_stripe(any_world: World) -> None:
    any_world.receive(update("2026-11-10", price="price_max"))
    lines = [
        usage_line({
            "billable": "user:42", "provider": "p", "model": "m", "input_tokens": 1,
            "cost": "0", "idempotency_key": stamp, "occurred_at": stamp,
        })
        for stamp in ("2026-11-12", "2026-11-09", "2026-11-10")
    ]  # fmt: skip
    recorder = Recorder(any_world.database, any_world.settings, NO_PRICES)
    recorder.record(lines, now=day("2026-11-15"))
    with any_world.database.read() as session:
        rows = session.exec(select(UsageCounter))
        assert {each.plan_id: each.tokens for each in rows} == {1: 1, 2: 2}


def test_a_late_event_dates_the_plan_before_an_end(any_world: World) -> None:
    """What was used before the end may arrive later still."""
    any_world.receive(deletion(at="2026-11-15", price="price_max"))
    any_world.receive(update("2026-11-10", price="price_max"))
    assert days(any_world) == [1, 1, 1, 2, 2, 2]


def test_a_late_event_leaves_a_change_to_come(any_world: World) -> None:
    receive(any_world, "2026-11-02", "price_pro")
    change_plan(any_world.database, "user:42", "max", now=day("2026-11-03"), at="renewal")
    any_world.receive(update("2026-10-20", price="price_max"))
    row = any_world.subscription()
    assert (row.plan_id, row.next_plan_id, row.plan_changes_at) == (1, 2, RENEWAL)
    assert plan_at(row, day("2026-10-25")) == 2


def test_a_change_here_that_came_stays_when_stripe_changes_again(any_world: World) -> None:
    any_world.add_plan("mid", "price_mid")
    change_plan(any_world.database, "user:42", "max", now=day("2026-11-05"))
    receive(any_world, "2026-11-15", "price_mid")
    assert days(any_world) == [1, 2, 2, 2, 3, 3]
