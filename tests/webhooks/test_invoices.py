"""Handlers of ``invoice.*``: grace."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from aimeter_cli.domain.periods import iso
from aimeter_cli.domain.subscription import status
from tests.webhooks.conftest import NOW, World
from tests.webhooks.payloads import (
    SHAPES,
    SUBSCRIPTION,
    Shape,
    deletion,
    event,
    failure,
    invoice,
    payment,
)

FAILED_AT = "2026-12-01T01:00:00"


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def names(world: World) -> list[str]:
    return [name for name, _ in world.told()]


@pytest.mark.parametrize("shape", SHAPES)
def test_grace_counts_from_the_first_failure_and_no_retry_extends_it(
    world: World, shape: Shape
) -> None:
    """PITFALLS 21: not from now, and not from the last retry."""
    first = world.receive(failure(shape))
    assert {c.field: c.after for c in first.changes} == {
        "grace_invoice_id": "in_Nov1",
        "grace_period_ends_at": "2026-12-08T01:00:00Z",
    }
    retry = world.receive(failure(shape, "2026-12-04", attempt=2))
    assert (retry.status, retry.changes) == ("processed", ())
    assert world.subscription().grace_period_ends_at == day("2026-12-08T01:00:00")
    assert status(world.subscription(), day("2026-12-08")) == "grace"
    assert status(world.subscription(), day("2026-12-09")) == "expired"


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["invoice.paid", "invoice.payment_succeeded", "invoice.voided"])
def test_payment_or_voiding_of_that_invoice_ends_its_grace(
    world: World, shape: Shape, kind: str
) -> None:
    """PITFALLS 21: grace is cleared by payment."""
    world.receive(failure(shape))
    world.receive(payment(shape, kind=kind))
    row = world.subscription()
    assert (row.grace_invoice_id, row.grace_period_ends_at) == (None, None)
    assert status(row, NOW) == "active"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("invoice.marked_uncollectible", "processed"),
        ("invoice.finalized", "processed"),
        ("invoice.payment_action_required", "ignored"),
    ],
)
def test_other_invoice_events_end_no_grace_and_start_none(
    world: World, kind: str, expected: str
) -> None:
    world.receive(payment(kind=kind, at="2026-12-01"))
    assert world.subscription().grace_period_ends_at is None
    world.receive(failure())
    assert world.receive(payment(kind=kind)).status == expected
    assert world.subscription().grace_period_ends_at is not None


def test_payment_of_another_invoice_ends_no_grace(world: World) -> None:
    world.receive(failure())
    assert world.receive(payment(id="in_Other")).changes == ()
    assert world.subscription().grace_invoice_id == "in_Nov1"


def test_a_failure_told_after_its_payment_starts_no_grace(world: World) -> None:
    world.receive(payment())
    result = world.receive(failure())
    assert (result.status, result.error) == ("stale", "the invoice has been settled")
    assert world.subscription().grace_period_ends_at is None


def test_an_earlier_failure_told_late_moves_the_grace_back(world: World) -> None:
    world.receive(failure(at="2026-12-04", attempt=2))
    world.receive(failure())
    assert world.subscription().grace_period_ends_at == day("2026-12-08T01:00:00")


def test_with_two_unpaid_invoices_the_grace_that_ends_first_counts(world: World) -> None:
    world.receive(failure(at="2026-12-03", id="in_B"))
    world.receive(failure())
    row = world.subscription()
    assert row.grace_invoice_id == "in_Nov1"
    assert row.unpaid_invoices == {"in_B": "2026-12-10T00:00:00Z"}
    world.receive(payment(at="2026-12-04"))
    row = world.subscription()
    assert (row.grace_invoice_id, row.grace_period_ends_at) == ("in_B", day("2026-12-10"))
    assert row.meta == {}


@pytest.mark.parametrize("shape", SHAPES)
def test_an_invoice_without_a_subscription_starts_no_grace(world: World, shape: Shape) -> None:
    result = world.receive(failure(shape, subscription=None))
    assert (result.status, result.error) == ("ignored", "the invoice belongs to no subscription")
    assert world.receive(payment(shape, subscription=None)).status == "ignored"
    assert world.state()["grace_period_ends_at"] is None
    assert world.told() == []


def test_a_failure_finds_its_own_subscription_not_the_customers_first(world: World) -> None:
    """PITFALLS 22."""
    world.subscribe("sub_Second", billable="user:43")
    world.receive(failure(subscription="sub_Second"))
    assert world.subscription().grace_period_ends_at is None
    assert world.subscription("sub_Second").grace_period_ends_at is not None


def test_grace_ends_even_if_the_subscription_has_no_end(world: World) -> None:
    """PITFALLS 21: it never ended where ends_at was null."""
    world.receive(failure())
    assert world.subscription().ends_at is None
    assert status(world.subscription(), day("2026-12-08T01:00:00")) == "expired"


@pytest.mark.parametrize("at", ["2026-12-01", "2026-12-25"])
def test_a_failure_never_revives_a_canceled_subscription(world: World, at: str) -> None:
    """PITFALLS 21: neither a redelivered one nor a newer one."""
    first = failure()
    world.receive(first)
    world.receive(deletion())
    before = world.state()
    assert world.receive(first).status == "duplicate"
    result = world.receive(failure(at=at, attempt=2))
    assert (result.status, result.error) == ("stale", "the subscription has ended")
    assert world.receive(first, force=True).changes == ()
    assert world.state() == before
    assert status(world.subscription(), NOW) == "canceled"


def test_payment_never_revives_a_canceled_subscription(world: World) -> None:
    world.receive(failure())
    world.receive(deletion())
    before = world.state()
    assert world.receive(payment(at="2026-12-24")).changes == ()
    assert world.state() == before


def test_deletion_ends_grace_and_expiry(world: World) -> None:
    none = world.with_grace(0)
    none.receive(failure())
    none.receive(deletion())
    row = world.subscription()
    assert (row.grace_invoice_id, row.grace_period_ends_at, row.expired_at) == (None, None, None)


def test_without_grace_a_failure_expires_at_once_and_tells_it_once(world: World) -> None:
    none = world.with_grace(0)
    none.receive(failure())
    none.receive(failure(at="2026-12-04", attempt=2))
    row = world.subscription()
    assert (row.expired_at, row.is_live) == (day(FAILED_AT), False)
    assert status(row, day(FAILED_AT)) == "expired"
    told = dict(world.told())
    assert names(world).count("SubscriptionExpired") == 1
    assert told["SubscriptionExpired"] == {
        "subscription_id": row.id,
        "stripe_subscription_id": SUBSCRIPTION,
        "stripe_event_id": failure()["id"],
        "plan_id": row.plan_id,
        "started_at": iso(row.started_at),
        "expired_at": "2026-12-01T01:00:00Z",
        "reason": "payment_failed",
        "invoice_id": "in_Nov1",
    }


def _expire(world: World) -> None:
    world.receive(failure())
    world.update(expired_at=day("2026-12-08T01:00:00"), is_live=False)


def test_payment_after_expiry_reactivates(world: World) -> None:
    _expire(world)
    world.receive(payment(at="2026-12-10"))
    row = world.subscription()
    assert (row.expired_at, row.grace_period_ends_at, row.is_live) == (None, None, True)
    assert status(row, NOW) == "active"


def test_payment_after_expiry_does_not_oust_another_live_subscription(world: World) -> None:
    _expire(world)
    rival = world.subscribe("sub_Next")
    result = world.receive(payment(at="2026-12-10"))
    row = world.subscription()
    assert result.error == (
        f"paid, but user:42 has another live subscription ({rival}): "
        f"subscription {row.id} stays expired"
    )
    assert (row.is_live, row.grace_invoice_id, status(row, NOW)) == (False, None, "expired")
    world.update("sub_Next", is_live=False, ends_at=day("2026-12-11"))
    world.receive(payment(at="2026-12-12", kind="invoice.payment_succeeded"))
    assert world.subscription().is_live


def test_an_old_payment_of_something_else_reactivates_nothing(world: World) -> None:
    _expire(world)
    world.receive(payment(at="2026-11-02", id="in_Oct"))
    assert world.subscription().expired_at == day("2026-12-08T01:00:00")


def test_payment_failed_is_told_once_per_invoice_and_attempt(world: World) -> None:
    again = failure()
    again["id"] = "evt_SecondEndpoint"
    for each in (failure(), failure(), again, failure(at="2026-12-04", attempt=2)):
        world.receive(each)
    world.receive(failure(), force=True)
    told = [(name, payload["attempt_count"]) for name, payload in world.told()]
    assert told == [("PaymentFailed", 1), ("PaymentFailed", 2)]
    assert world.told()[0][1] == {
        "subscription_id": world.subscription().id,
        "stripe_subscription_id": SUBSCRIPTION,
        "stripe_event_id": failure()["id"],
        "invoice_id": "in_Nov1",
        "attempt_count": 1,
        "failed_at": "2026-12-01T01:00:00Z",
        "next_payment_attempt": None,
        "grace_period_ends_at": "2026-12-08T01:00:00Z",
    }


def test_a_failure_told_at_once_by_several_endpoints_has_its_effects_once(
    any_world: World,
) -> None:
    """Each of four processes takes another event of the same failure."""
    none = any_world.with_grace(0)
    told = [{**failure(), "id": f"evt_Endpoint{n}"} for n in range(4)]
    with ThreadPoolExecutor(4) as processes:
        results = list(processes.map(none.receive, told))
    assert {result.status for result in results} == {"processed"}
    assert sorted(names(any_world)) == ["PaymentFailed", "SubscriptionExpired"]


def test_failures_that_were_ignored_are_told_when_the_subscription_appears(world: World) -> None:
    first, second = failure(subscription="sub_New"), failure(subscription="sub_New")
    second["id"] = "evt_SecondEndpoint"
    world.receive(first)
    world.receive(second)
    world.subscribe("sub_New", billable="user:43")
    world.receive(first)
    world.receive(second)
    assert names(world) == ["PaymentFailed"]


@pytest.mark.parametrize(
    "body",
    [
        {"parent": None, "subscription": None, "lines": {"data": []}},
        {"subscription": {"id": SUBSCRIPTION, "object": "subscription"}},
    ],
    ids=["one-off", "expanded"],
)
def test_an_expanded_subscription_is_read_and_a_missing_one_is_none(
    world: World, body: dict[str, Any]
) -> None:
    raw = {**invoice("old", subscription=None), **body}
    result = world.receive(event("invoice.payment_failed", raw, FAILED_AT))
    assert result.status == ("processed" if body.get("subscription") else "ignored")
