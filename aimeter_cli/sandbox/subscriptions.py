"""Subscriptions: made, read, listed, cancelled (Stripe: API reference, "Subscriptions")."""

import dataclasses

from . import customers, events, invoice_moves, invoice_rows, invoices, payments, prices, renewals
from .call import Call, Json
from .identifiers import new_id
from .lists import PAGING, Selection, listing, page, stored
from .params import Field, Fields, merged_metadata
from .periods import period_end
from .refusals import invalid, missing
from .subscription_rows import end, insert, load, write
from .timers import DAY

URL = "/v1/subscriptions"

STATUSES = (
    "active", "all", "canceled", "ended", "incomplete", "incomplete_expired", "past_due", "paused",
    "trialing", "unpaid",
)  # fmt: skip

SHARED: Fields = {
    "cancel_at": Field("integer", clearable=True),
    "cancel_at_period_end": Field("boolean"),
    "collection_method": Field("enum", choices=("charge_automatically", "send_invoice")),
    "days_until_due": Field("integer"),
    "default_payment_method": Field(),
    "description": Field(clearable=True),
    "expand": Field("array"),
    "metadata": Field("metadata"),
    "off_session": Field("boolean"),
    "payment_behavior": Field(
        "enum", choices=("allow_incomplete", "default_incomplete", "error_if_incomplete")
    ),
    "proration_behavior": Field("enum", choices=("none",)),
    "trial_end": Field("moment"),
    "trial_settings": Field(
        "object",
        fields={"end_behavior": Field("object", required=True, fields={
            "missing_payment_method": Field(
                "enum", required=True, choices=("cancel", "create_invoice", "pause")
            ),
        })},
    ),
}  # fmt: skip
"""What is taken both when it is made and later. Nothing is prorated."""

_ITEM = Field(
    "object",
    fields={
        "metadata": Field("metadata"),
        "price": Field(required=True),
        "quantity": Field("integer"),
    },
)
CREATE: Fields = {
    **SHARED,
    "cancel_at": Field("integer"),
    "customer": Field(required=True),
    "description": Field(),
    "items": Field("array", required=True, of=_ITEM),
    "trial_period_days": Field("integer"),
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


def create(call: Call) -> Json:
    """``POST /v1/subscriptions``: active at once, or trialing.

    Where time does what is due, its first invoice is made, finalised and charged; while that is not
    paid, the subscription is incomplete. Elsewhere there is no invoice for its own price.
    """
    given = call.params
    customer = customers.load(call, given["customer"])
    subscription_id = new_id("sub")
    items = [new_item(call, subscription_id, customer, f"items[{i}][price]", e)
             for i, e in enumerate(given["items"])]  # fmt: skip
    currency = items[0]["price"]["currency"]
    if any(item["price"]["currency"] != currency for item in items):
        raise invalid("All prices on a subscription must have the same currency.", "items")
    customers.settle_currency(call, customer, currency)
    body = _new(call, subscription_id, customer["id"], currency, items)
    _begin_trial(call, body)
    if given.get("cancel_at_period_end"):
        ask_to_cancel(call, body)
    is_auto = call.settings.renewals == "auto"
    fails = payments.method_of(call, customer["id"], body) in payments.FAILING
    waits = fails or given.get("payment_behavior") == "default_incomplete"
    if is_auto and waits and body["status"] == "active" and _costs(body):
        if fails and given.get("payment_behavior") == "error_if_incomplete":
            raise payments.declined(keeps=False)
        body["status"] = "incomplete"
    insert(call, body)
    if is_auto:
        _first_invoice(call, body)
        return load(call, subscription_id, "id")
    events.emit(call, "customer.subscription.created", body)
    return body


def _first_invoice(call: Call, body: Json) -> None:
    draft = renewals.scheduled_invoice(
        call, body, reason="subscription_create", period=(call.now, call.now)
    )
    body["latest_invoice"] = draft["id"]
    write(call, body)
    events.emit(call, "customer.subscription.created", body)
    step = dataclasses.replace(call, object_id=draft["id"], params={}, by="person")
    is_paid = invoice_moves.finalize(step)["status"] == "paid"
    asked_to_wait = call.params.get("payment_behavior") == "default_incomplete"
    if not is_paid and not asked_to_wait and body["collection_method"] == "charge_automatically":
        payments.attempt(step, invoice_rows.load(step, draft["id"]))


def _costs(body: Json) -> bool:
    return any((item["price"]["unit_amount"] or 0) * item["quantity"] > 0
               for item in body["items"]["data"])  # fmt: skip


def _begin_trial(call: Call, body: Json) -> None:
    """Set status, times and periods, where the parameters say that it begins with a trial."""
    given = call.params
    if "trial_end" in given and "trial_period_days" in given:
        raise invalid("You cannot set both `trial_end` and `trial_period_days`.", "trial_end")
    days = given.get("trial_period_days", 0)
    ends = call.now + days * DAY if days else given.get("trial_end", "now")
    if ends != "now":
        start_trial(call, body, ends)


def start_trial(call: Call, body: Json, ends: int) -> None:
    """The subscription is on trial until ``ends``, in epoch seconds; raises 400 for the past."""
    if ends <= call.now:
        raise invalid("Invalid timestamp: must be an integer Unix timestamp in the future.",
                      "trial_end")  # fmt: skip
    body["status"], body["trial_end"] = "trialing", ends
    body["trial_start"] = body["trial_start"] or call.now
    body["billing_cycle_anchor"] = ends
    for item in body["items"]["data"]:
        item["current_period_end"] = ends


def ask_to_cancel(call: Call, body: Json) -> None:
    """It is to end with its period; ``canceled_at`` is the time of asking."""
    body["cancel_at_period_end"] = True
    body["cancel_at"] = max(item["current_period_end"] for item in body["items"]["data"])
    body["canceled_at"] = call.now
    body["cancellation_details"]["reason"] = "cancellation_requested"


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
    elif status == "ended":
        selection.where("status IN ('canceled', 'incomplete_expired')")
    elif status != "all":
        selection.where("status = ?", status)
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
    """Begin the next period at once, as time would; returns the draft of its invoice."""
    return renewals.renew(call, load(call, subscription_id, "id", 404))


def new_item(call: Call, subscription_id: str, customer: Json, param: str, entry: Json) -> Json:
    """A subscription's item from ``price``, ``quantity``, ``metadata``; its period begins now."""
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
        "metadata": merged_metadata({}, entry),
        "price": price,
        "quantity": entry.get("quantity", 1),
        "subscription": subscription_id,
        "tax_rates": [],
    }


def _new(
    call: Call, subscription_id: str, customer_id: str, currency: str, items: list[Json]
) -> Json:
    given = call.params
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
        "cancel_at": given.get("cancel_at"),
        "cancel_at_period_end": False,
        "canceled_at": call.now if given.get("cancel_at") else None,
        "cancellation_details": {"comment": None, "feedback": None, "reason": None},
        "collection_method": given.get("collection_method", "charge_automatically"),
        "created": call.now,
        "currency": currency,
        "customer": customer_id,
        "customer_account": None,
        "days_until_due": given.get("days_until_due"),
        "default_payment_method": given.get("default_payment_method"),
        "default_source": None,
        "default_tax_rates": [],
        "description": given.get("description"),
        "discounts": [],
        "ended_at": None,
        "invoice_settings": {"account_tax_ids": None, "issuer": {"type": "self"}},
        "items": listing(items, f"/v1/subscription_items?subscription={subscription_id}"),
        "latest_invoice": None,
        "livemode": False,
        "metadata": merged_metadata({}, given),
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
        "trial_settings": given.get(
            "trial_settings", {"end_behavior": {"missing_payment_method": "create_invoice"}}
        ),
        "trial_start": None,
    }
