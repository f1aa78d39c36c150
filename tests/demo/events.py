"""Two events as Stripe would send them, made from the objects of the sandbox."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

API_VERSION = "2026-10-28.endive"


def write_events(
    path: Path, *, subscription: dict[str, Any], invoice: dict[str, Any], at: datetime
) -> None:
    """The subscription was renewed; then the payment of its invoice failed."""
    [item] = subscription["items"]["data"]
    end = item["current_period_start"]
    before = {**item, "current_period_start": invoice_start(invoice), "current_period_end": end}
    renewal = _event(
        "evt_demo_renewed", "customer.subscription.updated", end + 5, subscription,
        {"items": {**subscription["items"], "data": [before]}},
    )  # fmt: skip
    failed = {**invoice, "attempt_count": 1, "attempted": True}
    failure = _event(
        "evt_demo_failed", "invoice.payment_failed", int(at.timestamp()), failed, None
    )  # fmt: skip
    path.write_text(json.dumps([renewal, failure], indent=1), encoding="utf-8")


def invoice_start(invoice: dict[str, Any]) -> int:
    """When the month began whose overage is on the invoice."""
    return int(invoice["lines"]["data"][0]["period"]["start"])


def _event(
    event_id: str, kind: str, created: int, body: dict[str, Any], previous: dict[str, Any] | None
) -> dict[str, Any]:
    data: dict[str, Any] = {"object": body}
    if previous is not None:
        data["previous_attributes"] = previous
    return {
        "id": event_id,
        "object": "event",
        "api_version": API_VERSION,
        "created": created,
        "data": data,
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    }
