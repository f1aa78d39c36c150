"""Lines: the items on an invoice (Stripe: API reference, "Invoice Line Items")."""

import json
import sqlite3

from . import charges
from .call import Call, Json
from .identifiers import new_id
from .invoice_rows import load
from .lists import PAGING, Selection, listing, page
from .params import Fields
from .refusals import invalid

MAX_ITEMS = 250
"""Items on one invoice; more stay pending for the next (Stripe: create an invoice item)."""

SHOWN = 10
"""Lines inside an invoice object; the others are read from its list of lines."""

LIST: Fields = PAGING


def count(call: Call, invoice_id: str) -> int:
    """How many items are on the invoice."""
    found = call.db.execute("SELECT COUNT(*) FROM items WHERE invoice = ?", (invoice_id,))
    return int(found.fetchone()[0])


def total(call: Call, invoice_id: str) -> int:
    """The sum of the lines of the invoice, in minor units."""
    found = call.db.execute(
        "SELECT COALESCE(SUM(amount), 0) FROM items WHERE invoice = ?", (invoice_id,)
    )
    return int(found.fetchone()[0]) + charges.total(call, invoice_id)


def attach(call: Call, invoice_id: str, item_ids: list[str]) -> None:
    """Put items on the invoice, in this order after those it has; raises 400 beyond 250."""
    present = count(call, invoice_id)
    if present + len(item_ids) > MAX_ITEMS:
        raise invalid(
            f"Invoices can have at most {MAX_ITEMS} invoice items.", "invoice",
        )  # fmt: skip
    for position, item_id in enumerate(item_ids, start=present):
        call.db.execute(
            "UPDATE items SET invoice = ?, line = ?, line_order = ?,"
            " body = json_set(body, '$.invoice', ?) WHERE id = ?",
            (invoice_id, new_id("il"), position, invoice_id, item_id),
        )


def detach_all(call: Call, invoice_id: str) -> None:
    """Make the invoice's items pending again, when its draft is deleted."""
    call.db.execute(
        "UPDATE items SET invoice = NULL, line = NULL, line_order = NULL,"
        " body = json_set(body, '$.invoice', NULL) WHERE invoice = ?",
        (invoice_id,),
    )


def first(call: Call, invoice_id: str) -> Json:
    """The list of the first lines, as it stands inside an invoice object."""
    rows = call.db.execute(
        "SELECT * FROM items WHERE invoice = ? ORDER BY line_order LIMIT ?",
        (invoice_id, SHOWN + 1),
    ).fetchall()
    data = [present(call, row) for row in rows] + charges.on(call, invoice_id)
    return listing(data[:SHOWN], f"/v1/invoices/{invoice_id}/lines", len(data) > SHOWN)


def list_(call: Call) -> Json:
    """``GET /v1/invoices/{id}/lines``."""
    load(call, call.object_id)
    selection = Selection(
        # lines run in the order of the invoice, which is the reverse of what lists sort by
        "(SELECT -line_order AS n, line AS id, body, invoice, line, subscription, deleted"
        " FROM items UNION ALL"
        f" SELECT -{MAX_ITEMS} - n, id, body, invoice, NULL, NULL, 0 FROM charges)",
        "line_item",
        f"/v1/invoices/{call.object_id}/lines",
    )
    selection.where("invoice = ?", call.object_id)
    return page(call, selection, present)


def present(_call: Call, row: sqlite3.Row) -> Json:
    """The line item of the row of an item, or of a subscription's price."""
    item: Json = json.loads(row["body"])
    if row["line"] is None:
        return item
    return {
        "id": row["line"],
        "object": "line_item",
        "amount": item["amount"],
        "currency": item["currency"],
        "description": item["description"],
        "discount_amounts": [],
        "discountable": item["discountable"],
        "discounts": [],
        "invoice": row["invoice"],
        "livemode": False,
        "metadata": item["metadata"],
        "parent": {
            "invoice_item_details": {
                "invoice_item": item["id"],
                "proration": False,
                "proration_details": {"credited_items": None},
                "subscription": row["subscription"],
            },
            "subscription_item_details": None,
            "type": "invoice_item_details",
        },
        "period": item["period"],
        "pretax_credit_amounts": [],
        "pricing": item["pricing"],
        "quantity": item["quantity"],
        "quantity_decimal": item["quantity_decimal"],
        "subscription": row["subscription"],
        "subtotal": item["amount"],
        "taxes": [],
    }
