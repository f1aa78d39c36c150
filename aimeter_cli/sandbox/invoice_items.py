"""Invoice items (Stripe: API reference, "Invoice Items"; STRIPE.md, "Invoice items")."""

import json
import sqlite3
from decimal import Decimal

from . import customers, invoice_rows, item_amounts, lines, prices, subscription_rows
from .call import Call, Json
from .currencies import check_amount
from .events import emit
from .identifiers import new_id
from .ledger import effect
from .lists import PAGING, Selection, page, stored
from .params import Field, Fields, merged_metadata
from .refusals import ApiError, invalid, missing

URL = "/v1/invoiceitems"

_PERIOD = Field(
    "object",
    fields={"end": Field("integer", required=True), "start": Field("integer", required=True)},
)
_TAX_BEHAVIOR = Field("enum", choices=("exclusive", "inclusive", "unspecified"))

UPDATE: Fields = {
    "amount": Field("integer"),
    "description": Field(clearable=True),
    "discountable": Field("boolean"),
    "expand": Field("array"),
    "metadata": Field("metadata"),
    "period": _PERIOD,
    "quantity": Field("integer"),
    "quantity_decimal": Field("decimal"),
    "tax_behavior": _TAX_BEHAVIOR,
    "tax_code": Field(clearable=True),
    "tax_rates": Field("array", clearable=True),
    "unit_amount_decimal": Field("decimal"),
}
CREATE: Fields = {
    **UPDATE,
    "currency": Field("currency"),
    "customer": Field(required=True),
    "invoice": Field(),
    "pricing": Field("object", fields={"price": Field()}),
    "subscription": Field(),
    "tax_rates": Field("array"),
}
RETRIEVE: Fields = {"expand": Field("array")}
DELETE: Fields = {}
LIST: Fields = {
    **PAGING,
    "created": Field("range"),
    "customer": Field(),
    "invoice": Field(),
    "pending": Field("boolean"),
}


def create(call: Call) -> Json:
    """``POST /v1/invoiceitems``: pending, or on the draft that ``invoice`` names."""
    given = call.params
    customer = customers.load(call, given["customer"])
    price = None
    if given.get("pricing", {}).get("price"):
        price = prices.load(call, given["pricing"]["price"], "pricing[price]", customer["currency"])
    quantity = item_amounts.quantity(given, Decimal(1))
    unit, amount = item_amounts.amounts(given, quantity, price)
    currency = item_amounts.currency(given, customer, price)
    check_amount(amount, currency)
    if "subscription" in given:
        _subscription(call, given["subscription"], customer["id"])
    if "invoice" in given:
        draft = invoice_rows.load_draft(call, given["invoice"], "invoice", 400)
        if draft["customer"] != customer["id"]:
            raise missing("invoice", given["invoice"], "invoice")
    customers.settle_currency(call, customer, currency)
    body = _new(call, customer["id"], currency, amount)
    body["pricing"] = item_amounts.pricing(unit, price)
    item_amounts.set_quantity(body, quantity)
    call.db.execute(
        "INSERT INTO items (id, customer, subscription, currency, amount, created, body)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            body["id"], customer["id"], given.get("subscription"), currency, amount, call.now,
            json.dumps(body),
        ),
    )  # fmt: skip
    effect(call, "create", body, None, amount)
    if "invoice" in given:
        lines.attach(call, given["invoice"], [body["id"]])
        body["invoice"] = given["invoice"]
    emit(call, "invoiceitem.created", body)
    return body


def retrieve(call: Call) -> Json:
    """``GET /v1/invoiceitems/{id}``."""
    return load(call, call.object_id)


def update(call: Call) -> Json:
    """``POST /v1/invoiceitems/{id}``: until the invoice that it is attached to is closed."""
    body, given = load_editable(call, call.object_id), call.params
    old = body["amount"]
    if given.keys() & {"amount", "unit_amount_decimal", "quantity", "quantity_decimal"}:
        before = Decimal(body["quantity_decimal"])
        quantity = item_amounts.quantity(given, before)
        unit = Decimal(body["pricing"]["unit_amount_decimal"])
        unit, amount = item_amounts.amounts({"unit_amount_decimal": unit, **given}, quantity, None)
        check_amount(amount, body["currency"])
        body["amount"] = body["net_amount"] = amount
        body["pricing"]["unit_amount_decimal"] = item_amounts.plain(unit)
        item_amounts.set_quantity(body, quantity)
    for name in ("description", "discountable", "period"):
        if name in given:
            body[name] = given[name]
    if "tax_rates" in given:
        body["tax_rates"] = [item_amounts.tax_rate(call, rate) for rate in given["tax_rates"]]
    body["metadata"] = merged_metadata(body["metadata"], given)
    save(call, body)
    effect(call, "update", body, old, body["amount"])
    return body


def delete(call: Call) -> Json:
    """``DELETE /v1/invoiceitems/{id}``: pending ones, or those on a draft."""
    body = load_editable(call, call.object_id)
    call.db.execute(
        "UPDATE items SET deleted = 1, invoice = NULL, line = NULL, line_order = NULL WHERE id = ?",
        (body["id"],),
    )
    effect(call, "delete", body, body["amount"], None)
    emit(call, "invoiceitem.deleted", body)
    return {"id": body["id"], "object": "invoiceitem", "deleted": True}


def list_(call: Call) -> Json:
    """``GET /v1/invoiceitems``: newest first; ``pending`` = not attached to any invoice."""
    given = call.params
    if "customer" in given:
        customers.known(call, given["customer"])
    if "invoice" in given:
        invoice_rows.load(call, given["invoice"], "invoice", 400)
    selection = Selection("items", "invoiceitem", URL)
    selection.equals(call, "customer", "invoice")
    selection.created(call)
    if "pending" in given:
        selection.where("invoice IS NULL" if given["pending"] else "invoice IS NOT NULL")
    return page(call, selection, stored)


def load(call: Call, item_id: str) -> Json:
    """The item's JSON; raises ``resource_missing`` (404) for an unknown or deleted one."""
    row: sqlite3.Row | None = call.db.execute(
        "SELECT * FROM items WHERE id = ? AND deleted = 0", (item_id,)
    ).fetchone()
    if row is None:
        raise missing("invoiceitem", item_id, "id", 404)
    return stored(call, row)


def load_editable(call: Call, item_id: str) -> Json:
    """The same for an item that may still change; raises 400 once its invoice is no draft."""
    body = load(call, item_id)
    if body["invoice"] is not None and not invoice_rows.is_draft(call, body["invoice"]):
        raise ApiError(
            400,
            "This invoice item can no longer be changed because it is attached to an invoice that "
            "is no longer editable.",
            "invoice_not_editable",
        )
    return body


def save(call: Call, body: Json) -> None:
    """Write the item's JSON back."""
    call.db.execute(
        "UPDATE items SET amount = ?, body = ? WHERE id = ?",
        (body["amount"], json.dumps(body), body["id"]),
    )


def _subscription(call: Call, subscription_id: str, customer_id: str) -> None:
    subscription = subscription_rows.load_for(call, subscription_id, customer_id)
    if subscription["status"] == "canceled":
        raise invalid(
            "You cannot add invoice items to a subscription that has been canceled.",
            "subscription",
        )


def _new(call: Call, customer_id: str, currency: str, amount: int) -> Json:
    given = call.params
    parent = None
    if "subscription" in given:
        parent = {
            "subscription_details": {"subscription": given["subscription"]},
            "type": "subscription_details",
        }
    return {
        "id": new_id("ii"),
        "object": "invoiceitem",
        "amount": amount,
        "currency": currency,
        "customer": customer_id,
        "customer_account": None,
        "date": call.now,
        "description": given.get("description"),
        "discountable": given.get("discountable", amount >= 0),
        "discounts": [],
        "invoice": None,
        "livemode": False,
        "metadata": merged_metadata({}, given),
        "net_amount": amount,
        "parent": parent,
        "period": given.get("period") or {"end": call.now, "start": call.now},
        "pricing": None,
        "proration": False,
        "quantity": 1,
        "quantity_decimal": "1",
        "tax_rates": [item_amounts.tax_rate(call, rate) for rate in given.get("tax_rates", [])],
        "test_clock": None,
    }
