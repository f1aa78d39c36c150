"""Many events of many subscriptions, as a busy year at Stripe would send them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice
from typing import Any

from aimeter_cli.db.engine import Database
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.plans import Plan, PlanPrice
from aimeter_cli.models.subscriptions import Subscription
from tests.support.stripe_openapi import description
from tests.webhooks.payloads import (
    Event,
    Shape,
    deletion,
    event,
    failure,
    invoice,
    payment,
    subscription,
)

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
PLANS = ("pro", "max")
EACH = 16
"""Events of one subscription."""


def stripe_id(number: int) -> str:
    return f"sub_Many{number}"


def write_events(count: int, *, is_whole: bool = False) -> Iterator[str]:
    """So many lines, the oldest event first, of ``count / EACH`` subscriptions, rounded up.

    ``is_whole``: objects have every field of Stripe's API, those without a meaning here as null.
    """
    made = (each for n in range(_subscribers(count)) for each in history(n))
    events = sorted(islice(made, count), key=lambda each: each["created"])
    for each in events:
        yield json.dumps(_whole(each) if is_whole else each, separators=(",", ":"))


def subscribe(database: Database, count: int) -> None:
    """Two plans with their Stripe prices, and the subscriptions that so many events are of."""
    made: dict[str, Any] = {"created_at": BEGIN, "updated_at": BEGIN}
    with database.write() as session:
        plans = [Plan(slug=f"many-{name}", name=name, currency="usd", **made) for name in PLANS]
        session.add_all(plans)
        session.flush()
        for name, plan in zip(PLANS, plans, strict=True):
            session.add(PlanPrice(stripe_price_id=f"price_{name}", plan_id=plan.id))
        people = [
            Billable(type="many", external_id=str(number), created_at=BEGIN)
            for number in range(_subscribers(count))
        ]
        session.add_all(people)
        session.flush()
        session.add_all(
            Subscription(
                billable_id=each.id, plan_id=plans[0].id, started_at=BEGIN, period_anchor=BEGIN,
                stripe_subscription_id=stripe_id(number), **made,
            )
            for number, each in enumerate(people)
        )  # fmt: skip


def _subscribers(count: int) -> int:
    return -(-count // EACH)


def history(number: int) -> list[Event]:
    """Begun, renewed, failed, paid, changed to another plan; every fourth one ends."""
    shape: Shape = "old" if number % 3 == 0 else "new"
    sub, start = stripe_id(number), BEGIN + timedelta(minutes=number)
    found: list[Event] = []

    def at(month: int, **more: float) -> str:
        return (start + timedelta(days=30 * month, **more)).isoformat()

    def state(month: int, price: str = "price_pro") -> Event:
        end = at(month + 1)
        return subscription(shape, id=sub, price=price, start=at(month), end=end)

    def add(kind: str, body: Event, when: str, previous: Event | None = None) -> None:
        name = f"evt_{number}_{len(found)}"
        found.append(event(kind, body, when, id=name, previous=previous, shape=shape))

    add("customer.subscription.created", state(0), at(0))
    add("charge.succeeded", {"id": f"ch_{number}", "object": "charge"}, at(0, seconds=1))
    for month in range(1, 4):
        paper = f"in_{number}_{month}"
        bill = invoice(shape, id=paper, subscription=sub)
        before = {key: state(month - 1)[key] for key in ("items",)}
        add("customer.subscription.updated", state(month), at(month), before)
        add("invoice.created", bill, at(month, seconds=2))
        add("invoice.finalized", bill, at(month, hours=1))
        if month == 2:
            found.append(failure(shape, at(month, hours=2), id=paper, subscription=sub))
        found.append(payment(shape, at(month, hours=3), id=paper, subscription=sub))
    if number % 4 == 0:
        over = deletion(shape, at(3, hours=50), id=sub)
        found.append({**over, "id": f"evt_{number}_end"})
    else:
        changed = state(3, "price_max")
        add("customer.subscription.updated", changed, at(3, hours=50), {"items": state(3)["items"]})
    return found


def _whole(value: Any) -> Any:
    if isinstance(value, list):
        return [_whole(each) for each in value]
    if not isinstance(value, dict):
        return value
    kind = value.get("object")
    fields = _fields(kind) if isinstance(kind, str) else ()
    told = {k: _whole(v) for k, v in value.items()}  # first, as at Stripe: a document's id
    return told | {field: None for field in fields if field not in told}


@cache
def _fields(kind: str) -> tuple[str, ...]:
    schema = description()["components"]["schemas"].get(kind, {})
    return tuple(schema.get("properties", ()))
