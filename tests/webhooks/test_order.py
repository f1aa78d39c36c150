"""Any order and any repetition of a history ends in the state of the true order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.webhooks.conftest import World
from tests.webhooks.payloads import (
    SHAPES,
    Shape,
    deletion,
    event,
    failure,
    payment,
    renewal,
    subscription,
)

UPDATED = "customer.subscription.updated"


def history(shape: Shape) -> list[dict[str, Any]]:
    """Made, renewed, failed to pay, paid, canceled."""
    made = event("customer.subscription.created", subscription(shape), "2026-11-01", shape=shape)
    return [made, renewal(shape), failure(shape), payment(shape), deletion(shape)]


def reset(world: World, start: dict[str, Any]) -> None:
    world.forget()
    world.update(**start)


def outcome(
    world: World, start: dict[str, Any], events: Sequence[dict[str, Any]]
) -> tuple[dict[str, Any], list[str]]:
    """State and the failures told after these events, from the same start."""
    reset(world, start)
    for each in events:
        assert world.receive(each).status in ("processed", "stale", "duplicate")
    told = [name for name, _ in world.told() if name == "PaymentFailed"]
    return world.state(), told


def columns(world: World) -> dict[str, Any]:
    row = world.subscription().model_dump()
    return {key: row[key] for key in row if key not in ("id", "stripe_subscription_id")}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_permutation_with_a_duplicate_ends_as_the_true_order(
    world: World, shape: Shape
) -> None:
    start, events = columns(world), history(shape)
    true = outcome(world, start, events)
    assert true[0]["ends_at"] == "2026-12-20T00:00:00Z"
    assert true[0]["renews_at"] == "2027-01-01T00:00:00Z"
    for number, order in enumerate(permutations(events)):
        repeated = [*order, order[number % len(order)]]
        assert outcome(world, start, repeated) == true, [each["id"] for each in order]


LONGER = [
    event("customer.subscription.created", subscription(), "2026-11-01"),
    event(
        UPDATED, subscription(price="price_max"), "2026-11-05",
        previous={"items": subscription()["items"]},
    ),
    event(
        UPDATED, subscription(price="price_max", cancel_at_period_end=True), "2026-11-10",
        previous={"cancel_at_period_end": False},
    ),
    event(
        UPDATED, subscription(price="price_max"), "2026-11-12",
        previous={"cancel_at_period_end": True},
    ),
    renewal(),
    failure(),
    event(
        UPDATED, subscription(status="past_due", start="2026-12-01", end="2027-01-01"),
        "2026-12-01T01:00:00", previous={"status": "active"},
    ),
    failure(at="2026-12-02", id="in_Extra"),
    failure(at="2026-12-04", attempt=2),
    payment(at="2026-12-06"),
    event(
        UPDATED, subscription(start="2026-12-01", end="2027-01-01"), "2026-12-06",
        previous={"status": "past_due"}, id="evt_recovered",
    ),
    failure(at="2026-12-09", id="in_Extra", attempt=2),
    payment(at="2026-12-11", id="in_Extra", kind="invoice.voided"),
]  # fmt: skip


@pytest.mark.parametrize("days", [7, 0])
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_random_orders_of_random_histories_end_as_the_true_order(
    world: World, days: int, data: st.DataObject
) -> None:
    world = world.with_grace(days)
    reset(world, START)
    picked = data.draw(st.lists(st.sampled_from(LONGER), min_size=1, unique_by=lambda e: e["id"]))
    shuffled = data.draw(st.permutations([*picked, picked[0]]))
    in_order = sorted(picked, key=LONGER.index)
    assert outcome(world, START, shuffled) == outcome(world, START, in_order)


START: dict[str, Any] = {
    "plan_id": 1, "is_live": True, "renews_at": None, "ends_at": None, "trial_ends_at": None,
    "grace_period_ends_at": None, "grace_invoice_id": None, "expired_at": None, "paused_at": None,
    "is_incomplete": False, "current_period_start": None, "current_period_end": None,
    "stripe_updated_at": None, "unpaid_invoices": {}, "cancellation_reason": None, "meta": {},
    "next_plan_id": None, "plan_changes_at": None, "plan_history": [],
}  # fmt: skip
