"""Customers (Stripe: API reference, "Customers")."""

import json
import sqlite3

from .call import Call, Json
from .events import emit, emit_updated
from .identifiers import new_id
from .lists import PAGING, Selection, page, stored
from .params import Field, Fields, merged_metadata
from .refusals import invalid, missing
from .subscription_rows import end_all

URL = "/v1/customers"

UPDATE: Fields = {
    "description": Field(clearable=True),
    "email": Field("email", clearable=True),
    "expand": Field("array"),
    "invoice_settings": Field("object", fields={"default_payment_method": Field()}),
    "metadata": Field("metadata"),
    "name": Field(clearable=True),
    "phone": Field(clearable=True),
    "tax_exempt": Field("enum", clearable=True, choices=("none", "exempt", "reverse")),
}
CREATE: Fields = {**UPDATE, "payment_method": Field()}
LIST: Fields = {**PAGING, "created": Field("range"), "email": Field()}
RETRIEVE: Fields = {"expand": Field("array")}
DELETE: Fields = {}


def create(call: Call) -> Json:
    """``POST /v1/customers``."""
    given = call.params
    customer_id = new_id("cus")
    body: Json = {
        "id": customer_id,
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": call.now,
        "currency": None,
        "customer_account": None,
        "default_source": None,
        "delinquent": False,
        "description": given.get("description"),
        "discount": None,
        "email": given.get("email"),
        "invoice_prefix": customer_id[4:12].upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": given.get("invoice_settings", {}).get(
                "default_payment_method"
            ),
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": merged_metadata({}, given),
        "name": given.get("name"),
        "next_invoice_sequence": 1,
        "phone": given.get("phone"),
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": given.get("tax_exempt") or "none",
        "test_clock": None,
    }
    call.db.execute(
        "INSERT INTO customers (id, email, created, body) VALUES (?, ?, ?, ?)",
        (customer_id, body["email"], call.now, json.dumps(body)),
    )
    emit(call, "customer.created", body)
    return body


def retrieve(call: Call) -> Json:
    """``GET /v1/customers/{id}``; a deleted one is answered as such."""
    row = _row(call, call.object_id)
    if row is None:
        raise missing("customer", call.object_id, "id", 404)
    if row["deleted"]:
        return _deleted(call.object_id)
    return stored(call, row)


def update(call: Call) -> Json:
    """``POST /v1/customers/{id}``."""
    body = load(call, call.object_id, "id", 404)
    given = call.params
    others = ("metadata", "expand", "invoice_settings")
    body.update({k: v for k, v in given.items() if k not in others})
    body["invoice_settings"].update(given.get("invoice_settings", {}))
    body["tax_exempt"] = body["tax_exempt"] or "none"
    body["metadata"] = merged_metadata(body["metadata"], given)
    save(call, body)
    return body


def delete(call: Call) -> Json:
    """``DELETE /v1/customers/{id}``: its subscriptions end at once, its items stay as they are."""
    body = load(call, call.object_id, "id", 404)
    end_all(call, call.object_id)
    call.db.execute("UPDATE customers SET deleted = 1 WHERE id = ?", (call.object_id,))
    emit(call, "customer.deleted", body)
    return _deleted(call.object_id)


def list_(call: Call) -> Json:
    """``GET /v1/customers``; ``email`` compares upper and lower case."""
    selection = Selection("customers", "customer", URL)
    selection.equals(call, "email")
    selection.created(call)
    return page(call, selection, stored)


def load(call: Call, customer_id: str, param: str = "customer", status: int = 400) -> Json:
    """The customer's JSON; raises ``resource_missing`` for an unknown or deleted one."""
    row = _row(call, customer_id)
    if row is None or row["deleted"]:
        raise missing("customer", customer_id, param, status)
    return stored(call, row)


def known(call: Call, customer_id: str) -> None:
    """Raise ``resource_missing`` unless there is, or was, such a customer (for list filters)."""
    if _row(call, customer_id) is None:
        raise missing("customer", customer_id, "customer")


def save(call: Call, body: Json) -> None:
    """Write the customer's JSON back and make its event."""
    before = load(call, body["id"])
    call.db.execute(
        "UPDATE customers SET email = ?, body = ? WHERE id = ?",
        (body["email"], json.dumps(body), body["id"]),
    )
    emit_updated(call, "customer.updated", body, before)


def settle_currency(call: Call, customer: Json, currency: str) -> None:
    """Hold the customer to one currency and note it (Stripe: "Multi-currency customers").

    Raises the 400 when an active subscription or an item not yet invoiced has another one.
    """
    if customer["currency"] == currency:
        return  # whatever is active has this currency, or it would not have been accepted
    other = call.db.execute(
        "SELECT currency FROM subscriptions WHERE customer = :c AND currency <> :new"
        "   AND status <> 'canceled'"
        " UNION ALL SELECT items.currency FROM items"
        "   LEFT JOIN invoices ON invoices.id = items.invoice"
        "   WHERE items.customer = :c AND items.currency <> :new AND items.deleted = 0"
        "   AND (items.invoice IS NULL OR invoices.status = 'draft') LIMIT 1",
        {"c": customer["id"], "new": currency},
    ).fetchone()
    if other is not None:
        raise invalid(
            "You cannot combine currencies on a single customer. This customer has an active "
            "subscription, subscription schedule, discount, quote, or invoice item with currency "
            f"{other['currency']}."
        )
    customer["currency"] = currency
    save(call, customer)


def _row(call: Call, customer_id: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = call.db.execute(
        "SELECT * FROM customers WHERE id = ?", (customer_id,)
    ).fetchone()
    return row


def _deleted(customer_id: str) -> Json:
    return {"id": customer_id, "object": "customer", "deleted": True}
