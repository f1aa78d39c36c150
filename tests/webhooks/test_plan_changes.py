"""Plans that change here at renewal, and what Stripe's events make of them."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from aimeter_cli.domain.subscription import plan_at
from aimeter_cli.services.subscriptions.change_plan import change_plan
from aimeter_cli.webhooks import inbox
from tests.webhooks.conftest import World
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
