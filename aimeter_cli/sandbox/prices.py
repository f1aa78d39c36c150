"""Prices, as far as subscriptions and items name them.

A price of an unknown id is made on its first use: 0.00 a month in the customer's currency, or in
US dollars. A control endpoint defines others.
"""

import json
from typing import Any

from .call import Call, Json
from .identifiers import new_id
from .refusals import missing

INTERVALS = ("day", "week", "month", "year")


def define(
    call: Call,
    price_id: str,
    *,
    currency: str = "usd",
    unit_amount: int = 0,
    interval: str | None = "month",
    interval_count: int = 1,
    product: str | None = None,
) -> Json:
    """Make or replace a price; ``interval`` None makes a one-off price. Amount in minor units."""
    if interval is not None and interval not in INTERVALS:
        raise ValueError(f"interval must be one of {', '.join(INTERVALS)}")
    recurring: dict[str, Any] | None = None
    if interval is not None:
        recurring = {
            "interval": interval,
            "interval_count": interval_count,
            "meter": None,
            "usage_type": "licensed",
        }
    body: Json = {
        "id": price_id,
        "object": "price",
        "active": True,
        "billing_scheme": "per_unit",
        "created": call.now,
        "currency": currency,
        "custom_unit_amount": None,
        "livemode": False,
        "lookup_key": None,
        "metadata": {},
        "nickname": None,
        "product": product or new_id("prod"),
        "recurring": recurring,
        "tax_behavior": "unspecified",
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "one_time" if recurring is None else "recurring",
        "unit_amount": unit_amount,
        "unit_amount_decimal": str(unit_amount),
    }
    call.db.execute("INSERT OR REPLACE INTO prices VALUES (?, ?)", (price_id, json.dumps(body)))
    return body


def load(call: Call, price_id: str, param: str, currency: str | None) -> Json:
    """The price of that id, made on the spot when it is new.

    Raises ``resource_missing`` for an id that is not shaped like a price's.
    """
    row = call.db.execute("SELECT body FROM prices WHERE id = ?", (price_id,)).fetchone()
    if row is not None:
        body: Json = json.loads(row["body"])
        return body
    if not price_id.startswith("price_"):
        raise missing("price", price_id, param)
    return define(call, price_id, currency=currency or "usd")
