"""Faults 19 to 22 of PITFALLS.md, which must not come back."""

from __future__ import annotations

import pytest

from tests.webhooks.conftest import World
from tests.webhooks.payloads import SHAPES, Shape, deletion, event, failure, payment, subscription

UPDATED = "customer.subscription.updated"


@pytest.mark.parametrize("shape", SHAPES)
def test_pitfall_19_canceled_at_under_cancel_at_period_end_keeps_paid_access(
    world: World, shape: Shape
) -> None:
    body = subscription(shape, cancel_at_period_end=True, canceled_at="2026-11-10")
    world.receive(event(UPDATED, body, "2026-11-10", shape=shape))
    assert world.state()["ends_at"] == "2026-12-01T00:00:00Z"
    assert world.state()["is_live"]


@pytest.mark.parametrize("shape", SHAPES)
def test_pitfall_20_a_late_older_active_brings_no_deleted_subscription_back(
    world: World, shape: Shape
) -> None:
    world.receive(deletion(shape))
    ended = world.state()
    late = event(UPDATED, subscription(shape, status="active"), "2026-12-19", shape=shape)
    assert world.receive(late).status == "stale"
    assert world.state() == ended
    assert not ended["is_live"]


def test_pitfall_21_grace_counts_from_the_failure_is_not_extended_and_ends_by_payment(
    world: World,
) -> None:
    world.receive(failure(at="2026-12-01T01:00:00"))
    end = "2026-12-08T01:00:00Z"
    assert (world.state()["grace_period_ends_at"], world.state()["ends_at"]) == (end, None)
    world.receive(failure(at="2026-12-04", attempt=2))
    assert world.state()["grace_period_ends_at"] == end
    world.receive(payment())
    assert world.state()["grace_period_ends_at"] is None


def test_pitfall_21_a_redelivered_failure_revives_no_cancelled_subscription(world: World) -> None:
    world.receive(failure())
    world.receive(deletion())
    ended = world.state()
    world.receive(failure(), force=True)
    assert world.state() == ended


def test_pitfall_22_started_at_stays_the_right_subscription_fails_and_plans_follow(
    world: World,
) -> None:
    world.subscribe("sub_Second", "user:77")
    started = world.state()["started_at"]
    world.receive(event(UPDATED, subscription(price="price_max"), "2026-11-05"))
    world.receive(failure(subscription="sub_Second", id="in_Second"))
    assert (world.state()["started_at"], world.state()["plan_id"]) == (started, 2)
    assert world.state()["grace_period_ends_at"] is None
    assert world.state("sub_Second")["grace_invoice_id"] == "in_Second"


def test_pitfall_22_an_unknown_subscription_is_kept_and_a_repetition_does_nothing(
    world: World,
) -> None:
    unknown = failure(subscription="sub_New", id="in_New")
    assert world.receive(unknown).status == "ignored"
    assert [each.waits_for for each in world.stored()] == ["sub_New"]
    world.subscribe("sub_New", "user:77")
    assert world.receive(unknown).status == "processed"
    assert world.receive(unknown).status == "duplicate"
    assert [name for name, _ in world.told()] == ["PaymentFailed"]


def test_pitfall_21_a_failure_before_a_recovery_starts_no_grace_when_that_has_been_pruned(
    world: World,
) -> None:
    world.receive(failure())
    good = subscription(start="2026-12-01", end="2027-01-01")
    past = {"status": "past_due"}
    world.receive(event("customer.subscription.updated", good, "2026-12-02", previous=past))
    world.forget_payloads()
    late = world.receive(failure(at="2026-12-01T20:00:00", attempt=2))
    assert (late.status, late.error) == ("stale", "the subscription has recovered since")
    assert world.state()["grace_period_ends_at"] is None


def test_what_was_told_of_a_failure_is_told_once_though_its_payload_has_been_pruned(
    any_world: World,
) -> None:
    """Another event of the same attempt tells nothing; the next attempt does."""
    world = any_world.with_grace(0)
    world.receive(failure())
    world.receive(payment())
    world.forget_payloads()
    world.receive({**failure(), "id": "evt_again"})
    assert [name for name, _ in world.told()] == ["SubscriptionExpired", "PaymentFailed"]
    world.receive(failure(at="2026-12-04", attempt=2))
    told = [(name, payload.get("attempt_count")) for name, payload in world.told()]
    assert told[2:] == [("PaymentFailed", 2)]
