"""Which draft of a renewal is known, whatever order its events come in."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from tests.webhooks.conftest import World
from tests.webhooks.payloads import SHAPES, Event, Shape, event, invoice, stamp


def told(kind: str, month: int, at: str, *, shape: Shape = "new", **fields: Any) -> Event:
    """An event of the renewal that closes the month before; its invoice is ``in_<month>``."""
    first, last = f"2026-{month - 1:02}-01", f"2026-{month:02}-01"
    status = "draft" if kind == "invoice.created" else "open"
    body = invoice(
        shape, id=f"in_{month}",
        **{"status": status, "period_start": stamp(first), "period_end": stamp(last), **fields},
    )  # fmt: skip
    return event(kind, body, f"2026-{month:02}-01T{at}", shape=shape)


def created(month: int = 12, at: str = "00:00:01", **fields: Any) -> Event:
    return told("invoice.created", month, at, **fields)


def finalized(month: int = 12, at: str = "01:00:02", **fields: Any) -> Event:
    return told("invoice.finalized", month, at, **fields)


def draft(world: World) -> tuple[str | None, str | None]:
    state = world.state()
    return state["draft_invoice_id"], state["draft_period_end"]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_draft_of_a_renewal_is_known_with_the_end_of_what_it_closes(
    world: World, shape: Shape
) -> None:
    result = world.receive(created(shape=shape))
    assert (result.status, result.follow_up) == ("processed", "user:42")
    assert {change.field: change.after for change in result.changes} == {
        "draft_invoice_id": "in_12", "draft_period_end": "2026-12-01T00:00:00Z",
    }  # fmt: skip


@pytest.mark.parametrize(
    "fields",
    [
        {"billing_reason": "subscription_update"},
        {"billing_reason": "subscription_threshold"},
        {"billing_reason": "subscription_create"},
        {"status": "open"},
        {"status": "paid"},
        {"period_end": None},
        {"subscription": None},
    ],
    ids=str,
)
def test_no_other_invoice_is_a_draft_to_put_usage_on(world: World, fields: dict[str, Any]) -> None:
    result = world.receive(created(**fields))
    assert (result.status, result.follow_up) == ("ignored", None)
    assert draft(world) == (None, None)


@pytest.mark.parametrize(
    ("facts", "status"),
    [({}, "processed"), ({"attempted": True}, "ignored"), ({"closed": True}, "ignored"),
     ({"paid": True}, "ignored"), ({"closed": None}, "ignored")],
    ids=str,
)  # fmt: skip
def test_an_invoice_from_before_there_was_a_status_is_a_draft_until_it_is_tried(
    world: World, facts: dict[str, Any], status: str
) -> None:
    old = created()
    del old["data"]["object"]["status"]
    old["data"]["object"] |= {"closed": False, "paid": False, "attempted": False, **facts}
    assert world.receive(old).status == status


@pytest.mark.parametrize(
    "kind",
    [
        "invoice.finalized",
        "invoice.voided",
        "invoice.deleted",
        "invoice.marked_uncollectible",
        "invoice.paid",
        "invoice.payment_succeeded",
        "invoice.payment_failed",
    ],
)
def test_whatever_follows_a_draft_closes_it(world: World, kind: str) -> None:
    world.receive(created())
    world.receive(told(kind, 12, "01:00:00"))
    assert draft(world) == (None, "2026-12-01T00:00:00Z")
    assert world.receive(created(), force=True).follow_up is None
    assert draft(world) == (None, "2026-12-01T00:00:00Z")


def test_a_change_of_the_draft_does_not_close_it(world: World) -> None:
    world.receive(told("invoice.updated", 12, "00:00:30", status="draft"))
    world.receive(created())
    assert draft(world)[0] == "in_12"


@pytest.mark.parametrize("closes_last", [True, False], ids=["closed", "open"])
def test_every_order_of_two_renewals_ends_with_the_same_draft(
    world: World, closes_last: bool
) -> None:
    history = [created(11), finalized(11), created(12), *([finalized(12)] if closes_last else [])]
    expected = (None if closes_last else "in_12", "2026-12-01T00:00:00Z")
    for order in permutations(history):
        world.forget()
        world.update(draft_invoice_id=None, draft_period_end=None)
        for each in (*order, order[0]):
            world.receive(each)
        assert draft(world) == expected


def test_an_older_draft_never_replaces_a_newer_one(world: World) -> None:
    world.receive(created(12))
    result = world.receive(created(11))
    assert (result.status, result.follow_up, result.changes) == ("stale", None, ())
    assert draft(world)[0] == "in_12"


def test_the_draft_of_a_subscription_that_is_unknown_waits_for_it(world: World) -> None:
    assert world.receive(created(subscription="sub_New")).status == "ignored"
    world.subscribe("sub_New", billable="user:43")
    result = world.receive(created(subscription="sub_New"))
    assert (result.status, result.follow_up) == ("processed", "user:43")
