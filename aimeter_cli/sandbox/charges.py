"""The prices of a subscription's period, as lines of its invoice."""

import json
from typing import Any

from .call import Call, Json
from .identifiers import new_id


def of_period(subscription: Json) -> list[Json]:
    """The line items of the period that its items now show; 0 in a trial. Amounts in minor units.

    They are without id and invoice.
    """
    is_free = subscription["status"] == "trialing"
    return [_line(subscription, item, is_free) for item in subscription["items"]["data"]]


def put(call: Call, invoice_id: str, charged: list[Json]) -> None:
    """Put them on an invoice, after its items."""
    for line in charged:
        body = {**line, "id": new_id("il"), "invoice": invoice_id}
        call.db.execute(
            "INSERT INTO charges (id, invoice, amount, body) VALUES (?, ?, ?, ?)",
            (body["id"], invoice_id, body["amount"], json.dumps(body)),
        )


def on(call: Call, invoice_id: str) -> list[Json]:
    """The lines of an invoice that are a subscription's prices."""
    rows = call.db.execute("SELECT body FROM charges WHERE invoice = ? ORDER BY n", (invoice_id,))
    return [json.loads(row["body"]) for row in rows]


def total(call: Call, invoice_id: str) -> int:
    """Their sum in minor units."""
    found = call.db.execute(
        "SELECT COALESCE(SUM(amount), 0) FROM charges WHERE invoice = ?", (invoice_id,)
    )
    return int(found.fetchone()[0])


def _line(subscription: Json, item: Json, is_free: bool) -> Json:
    price: dict[str, Any] = item["price"]
    unit = 0 if is_free else price["unit_amount"]
    quantity, recurring = item["quantity"], price["recurring"]
    amount = unit * quantity
    every = f"{recurring['interval_count']} {recurring['interval']}s"
    if recurring["interval_count"] == 1:
        every = recurring["interval"]
    described = f"{quantity} × {price['nickname'] or price['id']} (every {every})"
    return {
        "object": "line_item",
        "amount": amount,
        "currency": price["currency"],
        "description": f"Trial of {described}" if is_free else described,
        "discount_amounts": [],
        "discountable": True,
        "discounts": [],
        "livemode": False,
        "metadata": subscription["metadata"],
        "parent": {
            "invoice_item_details": None,
            "subscription_item_details": {
                "invoice_item": None,
                "proration": False,
                "proration_details": {"credited_items": None},
                "subscription": subscription["id"],
                "subscription_item": item["id"],
            },
            "type": "subscription_item_details",
        },
        "period": {"end": item["current_period_end"], "start": item["current_period_start"]},
        "pretax_credit_amounts": [],
        "pricing": {
            "price_details": {"price": price["id"], "product": price["product"]},
            "type": "price_details",
            "unit_amount_decimal": str(unit),
        },
        "quantity": quantity,
        "quantity_decimal": str(quantity),
        "subscription": subscription["id"],
        "subtotal": amount,
        "taxes": [],
    }
