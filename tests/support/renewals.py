"""Subscriptions at the sandbox that renew, and the events that tell of their invoices."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aimeter_cli.webhooks import inbox
from aimeter_cli.webhooks.follow_up import follow_up
from aimeter_cli.webhooks.results import EventResult
from tests.support.world import World
from tests.webhooks.payloads import event, stamp

LAST_HOUR = datetime(2026, 11, 30, 23, 20, tzinfo=UTC)
RENEWED = datetime(2026, 12, 1, 0, 1, tzinfo=UTC)


def renewing(world: World) -> str:
    """user:42 with a subscription at the sandbox, too; its id there."""
    import stripe

    customer = world.customer()
    world.sandbox.define_price("price_pro")
    http = stripe.RequestsClient(timeout=(1, 5))
    client = stripe.StripeClient(
        "sk_test_world", base_addresses={"api": world.sandbox.url}, http_client=http
    )
    made = client.v1.subscriptions.create({"customer": customer, "items": [{"price": "price_pro"}]})
    http.close()  # type: ignore[no-untyped-call]
    world.subscriber(plan=world.plan(), customer=customer, stripe_subscription_id=made.id)
    return str(made.id)


def renew(world: World, subscription: str) -> dict[str, Any]:
    """The draft that closes November. The sandbox counts its own months."""
    world.now = RENEWED
    draft = world.sandbox.renew(subscription)
    return {**draft, "period_start": stamp("2026-11-01"), "period_end": stamp("2026-12-01")}


def receive(world: World, kind: str, body: Mapping[str, Any]) -> EventResult:
    """The event in the inbox, without what follows."""
    text = json.dumps(event(kind, body, world.now))
    return inbox.receive(world.database, world.settings, text, now=world.now, source="test")


def take(world: World, kind: str, body: Mapping[str, Any]) -> list[str]:
    """The event in the inbox, with what follows; the notices of that."""
    return follow(world, receive(world, kind, body))


def follow(world: World, *results: EventResult) -> list[str]:
    return follow_up(
        world.database, world.settings, lambda: world.driver, results, now=world.now
    )  # fmt: skip
