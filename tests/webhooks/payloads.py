"""Small Stripe events of our own making, in the shapes of before and since 2025-03-31.basil.

The facts (which fields exist, where they stand) are those of Stripe's public API reference and of
STRIPE.md; ids, times and texts are made up.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

Shape = Literal["old", "new", "oldest"]
SHAPES: tuple[Shape, ...] = ("old", "new")
_VERSIONS = {"oldest": "2015-10-16", "old": "2024-06-20", "new": "2026-10-28.endive"}

SUBSCRIPTION = "sub_Pro1"
INVOICE = "in_Nov1"
Event = dict[str, Any]


def stamp(moment: datetime | str | None) -> int | None:
    """A time → Stripe's seconds; a text is a date or an ISO time in UTC."""
    if moment is None:
        return None
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp())


def subscription(
    shape: Shape = "new",
    *,
    id: str = SUBSCRIPTION,  # noqa: A002
    status: str = "active",
    price: str = "price_pro",
    start: str = "2026-11-01",
    end: str = "2026-12-01",
    more_items: tuple[tuple[str, str, str], ...] = (),
    **fields: Any,
) -> dict[str, Any]:
    """A subscription's state. ``more_items``: (price, start, end) beside the first."""
    times = {key: stamp(value) for key, value in fields.items() if key in _TIMES}
    body: dict[str, Any] = {
        "id": id,
        "object": "subscription",
        "customer": "cus_A1",
        "status": status,
        "billing_cycle_anchor": stamp("2026-10-01"),
        "cancel_at_period_end": False,
        "cancel_at": None,
        "canceled_at": None,
        "ended_at": None,
        "trial_end": None,
        "pause_collection": None,
        **fields,
        **times,
    }
    first = {"current_period_start": stamp(start), "current_period_end": stamp(end)}
    if shape == "oldest":
        return {**body, "plan": {"id": price, "object": "plan"}, **first}
    items = [_item(shape, *each) for each in ((price, start, end), *more_items)]
    body["items"] = {"object": "list", "data": items, "has_more": False}
    return {**body, **first} if shape == "old" else body


_TIMES = ("cancel_at", "canceled_at", "ended_at", "trial_end", "billing_cycle_anchor")


def _item(shape: Shape, price: str, start: str, end: str) -> dict[str, Any]:
    item: dict[str, Any] = {
        "id": f"si_{price}",
        "object": "subscription_item",
        "price": {"id": price, "object": "price"},
    }
    if shape == "new":
        item |= {"current_period_start": stamp(start), "current_period_end": stamp(end)}
    return item


def invoice(
    shape: Shape = "new",
    *,
    id: str = INVOICE,  # noqa: A002
    subscription: str | None = SUBSCRIPTION,
    **fields: Any,
) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": id,
        "object": "invoice",
        "customer": "cus_A1",
        "attempt_count": 1,
        "next_payment_attempt": None,
        "billing_reason": "subscription_cycle" if subscription else "manual",
        "lines": {"object": "list", "data": [], "has_more": False},
        **fields,
    }
    if shape == "old":
        return {**body, "subscription": subscription}
    parent = {
        "type": "subscription_details",
        "subscription_details": {"subscription": subscription, "metadata": {}},
    }
    return {**body, "parent": parent if subscription else None}


def event(
    type: str,  # noqa: A002
    body: Mapping[str, Any],
    created: datetime | str,
    *,
    id: str | None = None,  # noqa: A002
    previous: Mapping[str, Any] | None = None,
    livemode: bool = False,
    shape: Shape = "new",
) -> Event:
    """The event around an object. The id is made from the rest unless it is given."""
    data: dict[str, Any] = {"object": dict(body)}
    if previous is not None:
        data["previous_attributes"] = dict(previous)
    seconds = stamp(created)
    return {
        "id": id or f"evt_{type.replace('.', '_')}_{seconds}",
        "object": "event",
        "api_version": _VERSIONS[shape],
        "created": seconds,
        "livemode": livemode,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": type,
        "data": data,
    }


def renewal(shape: Shape = "new", at: str = "2026-12-01T00:00:05") -> Event:
    """November → December."""
    state = subscription(shape, start="2026-12-01", end="2027-01-01")
    was = {"current_period_start": stamp("2026-11-01"), "current_period_end": stamp("2026-12-01")}
    before = {"items": subscription(shape)["items"]} if shape == "new" else was
    return event("customer.subscription.updated", state, at, previous=before, shape=shape)


def failure(
    shape: Shape = "new", at: str = "2026-12-01T01:00:00", *, attempt: int = 1, **fields: Any
) -> Event:
    body = invoice(shape, attempt_count=attempt, **fields)
    name = f"evt_failed_{body['id']}_{stamp(at)}"
    return event("invoice.payment_failed", body, at, shape=shape, id=name)


def payment(
    shape: Shape = "new", at: str = "2026-12-03", kind: str = "invoice.paid", **fields: Any
) -> Event:
    body = invoice(shape, **fields)
    return event(kind, body, at, shape=shape, id=f"evt_{kind[8:]}_{body['id']}_{stamp(at)}")


def deletion(shape: Shape = "new", at: str = "2026-12-20", **fields: Any) -> Event:
    state = subscription(
        shape,
        status="canceled",
        start="2026-12-01",
        end="2027-01-01",
        **{"canceled_at": at, "ended_at": at, **fields},
    )
    return event("customer.subscription.deleted", state, at, shape=shape)
