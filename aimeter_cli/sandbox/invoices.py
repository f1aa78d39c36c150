"""Invoices: make, read, change, list, delete (Stripe: API reference, "Invoices")."""

import json

from . import charges, customers, invoice_events, invoice_rows, lines, subscription_rows
from .call import Call, Json
from .identifiers import new_id
from .invoice_rows import load, load_draft
from .invoice_view import present
from .lists import PAGING, Selection, page, stored
from .params import Field, Fields, merged_metadata
from .refusals import invalid

URL = "/v1/invoices"

_COLLECTION = Field("enum", choices=("charge_automatically", "send_invoice"))

UPDATE: Fields = {
    "auto_advance": Field("boolean"),
    "collection_method": _COLLECTION,
    "days_until_due": Field("integer"),
    "description": Field(clearable=True),
    "expand": Field("array"),
    "footer": Field(clearable=True),
    "metadata": Field("metadata"),
}
CREATE: Fields = {
    **UPDATE,
    "currency": Field("currency"),
    "customer": Field(required=True),
    "pending_invoice_items_behavior": Field("enum", choices=("exclude", "include")),
    "subscription": Field(),
}
RETRIEVE: Fields = {"expand": Field("array")}
DELETE: Fields = {}
LIST: Fields = {
    **PAGING,
    "created": Field("range"),
    "customer": Field(),
    "status": Field("enum", choices=("draft", "open", "paid", "uncollectible", "void")),
    "subscription": Field(),
}


def create(call: Call) -> Json:
    """``POST /v1/invoices``: a draft, empty unless pending items are to be included."""
    given = call.params
    customer = customers.load(call, given["customer"])
    subscription = given.get("subscription")
    if subscription is not None:
        subscription_rows.load_for(call, subscription, customer["id"])
    if given.get("pending_invoice_items_behavior") == "include":
        return collect(call, customer["id"], subscription)
    body = _insert(call, customer, subscription, given.get("currency"), "manual")
    _set_finalization(call, body)
    invoice_rows.save(call, body)
    return invoice_events.created(call, body)


def collect(
    call: Call,
    customer_id: str,
    subscription: str | None,
    *,
    reason: str = "manual",
    currency: str | None = None,
    charged: list[Json] | None = None,
    advances: bool = False,
    period: tuple[int, int] | None = None,
) -> Json:
    """A draft with the pending items that it takes, oldest first, at most 250.

    An invoice of a subscription takes the items of that subscription and those without one, any
    other invoice only those without one. ``reason`` is its ``billing_reason``; ``charged`` are
    lines for a subscription's prices; ``advances``: it finalises by itself in an hour. Raises
    Stripe's 400 when a manual one would be empty.
    """
    customer = customers.load(call, customer_id)
    currency = currency or call.params.get("currency")
    rows = call.db.execute(
        "SELECT id, currency FROM items WHERE customer = ? AND invoice IS NULL AND deleted = 0"
        " AND (subscription IS NULL OR subscription = ?) AND (? IS NULL OR currency = ?)"
        " ORDER BY n LIMIT ?",
        (customer_id, subscription, currency, currency, lines.MAX_ITEMS),
    ).fetchall()
    if not rows and reason == "manual":
        whom = "subscription" if subscription else "customer"
        raise invalid(f"Nothing to invoice for {whom}", whom, f"invoice_no_{whom}_line_items")
    currency = rows[0]["currency"] if rows else currency
    body = _insert(call, customer, subscription, currency, reason)
    if advances:
        body["auto_advance"] = True
    if period is not None:
        body["period_start"], body["period_end"] = period
    _set_finalization(call, body)
    invoice_rows.save(call, body)
    charges.put(call, body["id"], charged or [])
    taken = [row["id"] for row in rows if row["currency"] == currency]
    lines.attach(call, body["id"], taken[::-1])
    return invoice_events.created(call, body)


def retrieve(call: Call) -> Json:
    """``GET /v1/invoices/{id}``."""
    return present(call, load(call, call.object_id))


def update(call: Call) -> Json:
    """``POST /v1/invoices/{id}``: metadata at any time, everything else while it is a draft."""
    given = call.params
    editable = given.keys() <= {"metadata", "expand", "auto_advance"}
    body = load(call, call.object_id) if editable else load_draft(call, call.object_id)
    for name in ("auto_advance", "collection_method", "description", "footer"):
        if name in given:
            body[name] = given[name]
    _set_due(call, body, given)
    if body["status"] == "draft":
        _set_finalization(call, body)
    body["metadata"] = merged_metadata(body["metadata"], given)
    return invoice_events.save(call, body)


def delete(call: Call) -> Json:
    """``DELETE /v1/invoices/{id}``: one-off drafts only; their items are pending again."""
    body = load(call, call.object_id)
    if body["status"] != "draft" or body["parent"] is not None:
        raise invalid(
            "You can only delete draft invoices that are not for a subscription.",
            code="invoice_not_editable",
        )
    shown = present(call, body)
    lines.detach_all(call, body["id"])
    call.db.execute("UPDATE invoices SET deleted = 1 WHERE id = ?", (body["id"],))
    invoice_events.deleted(call, shown)
    return {"id": body["id"], "object": "invoice", "deleted": True}


def list_(call: Call) -> Json:
    """``GET /v1/invoices``."""
    if "customer" in call.params:
        customers.known(call, call.params["customer"])
    selection = Selection("invoices", "invoice", URL)
    selection.equals(call, "customer", "status", "subscription")
    selection.created(call)
    return page(call, selection, lambda call, row: present(call, stored(call, row)))


def _insert(
    call: Call, customer: Json, subscription: str | None, currency: str | None, reason: str
) -> Json:
    given = call.params if call.by == "api" else {}
    body = _new(call, customer, currency or customer["currency"] or "usd", reason)
    body["metadata"] = merged_metadata({}, given)
    for name in ("auto_advance", "collection_method", "description", "footer"):
        body[name] = given.get(name, body[name])
    _set_due(call, body, given)
    if subscription is not None:
        body["parent"] = {
            "quote_details": None,
            "subscription_details": {"metadata": {}, "subscription": subscription},
            "type": "subscription_details",
        }
    call.db.execute(
        "INSERT INTO invoices (id, customer, subscription, status, created, body)"
        " VALUES (?, ?, ?, 'draft', ?, ?)",
        (body["id"], customer["id"], subscription, call.now, json.dumps(body)),
    )
    return body


def _set_finalization(call: Call, body: Json) -> None:
    """A draft that advances finalises an hour after it was made, where time does so."""
    advances = body["auto_advance"] and call.settings.renewals == "auto"
    body["automatically_finalizes_at"] = body["created"] + 3600 if advances else None


def _set_due(call: Call, body: Json, given: Json) -> None:
    if "days_until_due" in given:
        body["due_date"] = call.now + given["days_until_due"] * 86_400


def _new(call: Call, customer: Json, currency: str, reason: str) -> Json:
    return {
        "id": new_id("in"),
        "object": "invoice",
        "account_country": "US",
        "account_name": "aimeter sandbox",
        "account_tax_ids": None,
        "amount_overpaid": 0,
        "amount_shipping": 0,
        "application": None,
        "attempt_count": 0,
        "attempted": False,
        "auto_advance": False,
        "automatic_tax": {
            "disabled_reason": None,
            "enabled": False,
            "liability": None,
            "provider": None,
            "status": None,
        },
        "automatically_finalizes_at": None,
        "billing_reason": reason,
        "collection_method": "charge_automatically",
        "created": call.now,
        "currency": currency,
        "custom_fields": None,
        "customer": customer["id"],
        "customer_account": None,
        "customer_address": None,
        "customer_email": customer["email"],
        "customer_name": customer["name"],
        "customer_phone": customer["phone"],
        "customer_shipping": None,
        "customer_tax_exempt": customer["tax_exempt"],
        "customer_tax_ids": [],
        "default_payment_method": None,
        "default_source": None,
        "default_tax_rates": [],
        "description": None,
        "discounts": [],
        "due_date": None,
        "effective_at": None,
        "ending_balance": None,
        "footer": None,
        "from_invoice": None,
        "hosted_invoice_url": None,
        "invoice_pdf": None,
        "issuer": {"type": "self"},
        "last_finalization_error": None,
        "latest_revision": None,
        "livemode": False,
        "metadata": {},
        "next_payment_attempt": None,
        "number": None,
        "on_behalf_of": None,
        "paid_out_of_band": False,
        "parent": None,
        "payment_settings": {
            "default_mandate": None,
            "payment_method_options": None,
            "payment_method_types": None,
        },
        "period_end": call.now,
        "period_start": call.now,
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "receipt_number": None,
        "rendering": None,
        "shipping_cost": None,
        "shipping_details": None,
        "starting_balance": 0,
        "statement_descriptor": None,
        "status": "draft",
        "status_transitions": {
            "finalized_at": None,
            "marked_uncollectible_at": None,
            "paid_at": None,
            "voided_at": None,
        },
        "test_clock": None,
        "total_discount_amounts": [],
        "total_pretax_credit_amounts": [],
        "total_taxes": [],
        "webhooks_delivered_at": None,
    }
