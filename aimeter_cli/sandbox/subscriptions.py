"""Subscriptions, as far as invoice items name them (Stripe: API reference, "Subscriptions")."""

import json
from calendar import monthrange
from datetime import UTC, datetime, timedelta

from . import customers, invoices, prices
from .call import Call, Json
from .identifiers import new_id
from .lists import PAGING, Selection, listing, page, stored
from .params import Field, Fields, merged_metadata
from .refusals import invalid, missing
from .subscription_rows import end, load, save

URL = "/v1/subscriptions"

STATUSES = (
    "active", "all", "canceled", "ended", "incomplete", "incomplete_expired", "past_due", "paused",
    "trialing", "unpaid",
)  # fmt: skip

CREATE: Fields = {
    "customer": Field(required=True),
    "description": Field(clearable=True),
    "expand": Field("array"),
    "items": Field(
        "array",
        required=True,
        of=Field("object", fields={"price": Field(required=True), "quantity": Field("integer")}),
    ),
    "metadata": Field("metadata"),
}
RETRIEVE: Fields = {"expand": Field("array")}
LIST: Fields = {
    **PAGING,
    "created": Field("range"),
    "customer": Field(),
    "status": Field("enum", choices=STATUSES),
}
CANCEL: Fields = {
    "expand": Field("array"),
    "invoice_now": Field("boolean"),
    "prorate": Field("boolean"),
}


def period_end(start: int, interval: str, count: int) -> int:
    """The end of a period in epoch seconds; months are clamped to their last day."""
    begin = datetime.fromtimestamp(start, UTC)
    if interval in ("day", "week"):
        return int((begin + timedelta(days=count * (7 if interval == "week" else 1))).timestamp())
    months = begin.month - 1 + count * (12 if interval == "year" else 1)
    year, month = begin.year + months // 12, months % 12 + 1
    day = min(begin.day, monthrange(year, month)[1])
    return int(begin.replace(year=year, month=month, day=day).timestamp())


def create(call: Call) -> Json:
    """``POST /v1/subscriptions``: active at once, without an invoice for its own price."""
    given = call.params
    customer = customers.load(call, given["customer"])
    subscription_id = new_id("sub")
    items = [_item(call, subscription_id, customer, i, e) for i, e in enumerate(given["items"])]
    currency = items[0]["price"]["currency"]
    if any(item["price"]["currency"] != currency for item in items):
        raise invalid("All prices on a subscription must have the same currency.", "items")
    customers.settle_currency(call, customer, currency)
    body = _new(call, subscription_id, customer["id"], currency, items)
    call.db.execute(
        "INSERT INTO subscriptions (id, customer, currency, status, created, body)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (subscription_id, customer["id"], currency, "active", call.now, json.dumps(body)),
    )
    return body


def retrieve(call: Call) -> Json:
    """``GET /v1/subscriptions/{id}``."""
    return load(call, call.object_id, "id", 404)


def list_(call: Call) -> Json:
    """``GET /v1/subscriptions``: leaves out canceled ones unless ``status`` says otherwise."""
    if "customer" in call.params:
        customers.known(call, call.params["customer"])
    selection = Selection("subscriptions", "subscription", URL)
    selection.equals(call, "customer")
    selection.created(call)
    status = call.params.get("status")
    if status is None:
        selection.where("status <> 'canceled'")
    elif status != "all":
        selection.where("status = ?", "canceled" if status == "ended" else status)
    return page(call, selection, stored)


def cancel(call: Call) -> Json:
    """``DELETE /v1/subscriptions/{id}``: ends at once; pending items stay, unless ``invoice_now``.

    Stripe's description: "Any pending invoice items that you've created are still charged at the
    end of the period", which an ended subscription never reaches.
    """
    body = load(call, call.object_id, "id", 404)
    if body["status"] == "canceled":
        raise missing("subscription", call.object_id, "id", 404)
    if call.params.get("invoice_now"):
        invoices.collect(call, body["customer"], body["id"], reason="subscription_update")
    return end(call, body)


def renew(call: Call, subscription_id: str) -> Json:
    """Begin the next period, as time would, and return the draft of its scheduled invoice.

    That invoice takes the pending items of the subscription and those without one (Stripe: create
    an invoice item, ``subscription``).
    """
    body = load(call, subscription_id, "id", 404)
    for item in body["items"]["data"]:
        recurring = item["price"]["recurring"]
        item["current_period_start"] = item["current_period_end"]
        item["current_period_end"] = period_end(
            item["current_period_start"], recurring["interval"], recurring["interval_count"]
        )
    draft = invoices.collect(call, body["customer"], subscription_id, reason="subscription_cycle")
    body["latest_invoice"] = draft["id"]
    save(call, body)
    return draft


def _item(call: Call, subscription_id: str, customer: Json, index: int, entry: Json) -> Json:
    param = f"items[{index}][price]"
    price = prices.load(call, entry["price"], param, customer["currency"])
    if price["recurring"] is None:
        raise invalid(
            "The price specified is set to `type=one_time` but this field only accepts prices "
            "with `type=recurring`.",
            param,
        )
    recurring = price["recurring"]
    return {
        "id": new_id("si"),
        "object": "subscription_item",
        "billing_thresholds": None,
        "created": call.now,
        "current_period_end": period_end(
            call.now, recurring["interval"], recurring["interval_count"]
        ),
        "current_period_start": call.now,
        "discounts": [],
        "metadata": {},
        "price": price,
        "quantity": entry.get("quantity", 1),
        "subscription": subscription_id,
        "tax_rates": [],
    }


def _new(
    call: Call, subscription_id: str, customer_id: str, currency: str, items: list[Json]
) -> Json:
    return {
        "id": subscription_id,
        "object": "subscription",
        "application": None,
        "application_fee_percent": None,
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": call.now,
        "billing_cycle_anchor_config": None,
        "billing_mode": {"flexible": None, "type": "classic"},
        "billing_schedules": [],
        "billing_thresholds": None,
        "cancel_at": None,
        "cancel_at_period_end": False,
        "canceled_at": None,
        "cancellation_details": {"comment": None, "feedback": None, "reason": None},
        "collection_method": "charge_automatically",
        "created": call.now,
        "currency": currency,
        "customer": customer_id,
        "customer_account": None,
        "days_until_due": None,
        "default_payment_method": None,
        "default_source": None,
        "default_tax_rates": [],
        "description": call.params.get("description"),
        "discounts": [],
        "ended_at": None,
        "invoice_settings": {"account_tax_ids": None, "issuer": {"type": "self"}},
        "items": listing(items, f"/v1/subscription_items?subscription={subscription_id}"),
        "latest_invoice": None,
        "livemode": False,
        "metadata": merged_metadata({}, call.params),
        "next_pending_invoice_item_invoice": None,
        "on_behalf_of": None,
        "pause_collection": None,
        "payment_settings": {
            "payment_method_options": None,
            "payment_method_types": None,
            "save_default_payment_method": "off",
        },
        "pending_invoice_item_interval": None,
        "pending_setup_intent": None,
        "pending_update": None,
        "schedule": None,
        "start_date": call.now,
        "status": "active",
        "test_clock": None,
        "transfer_data": None,
        "trial_end": None,
        "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
        "trial_start": None,
    }
