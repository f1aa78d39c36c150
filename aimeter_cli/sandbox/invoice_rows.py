"""Stored invoices: read, write, and the question whether one is still a draft."""

import json
import sqlite3

from .call import Call, Json
from .lists import stored
from .refusals import ApiError, missing


def row(call: Call, invoice_id: str) -> sqlite3.Row | None:
    """The row of an invoice that exists, deleted ones left out."""
    found: sqlite3.Row | None = call.db.execute(
        "SELECT * FROM invoices WHERE id = ? AND deleted = 0", (invoice_id,)
    ).fetchone()
    return found


def load(call: Call, invoice_id: str, param: str = "id", status: int = 404) -> Json:
    """The invoice's stored JSON, without lines and totals; raises ``resource_missing``."""
    found = row(call, invoice_id)
    if found is None:
        raise missing("invoice", invoice_id, param, status)
    return stored(call, found)


def load_draft(call: Call, invoice_id: str, param: str = "id", status: int = 404) -> Json:
    """The same for an invoice that is a draft; raises ``invoice_not_editable`` otherwise."""
    body = load(call, invoice_id, param, status)
    if body["status"] != "draft":
        raise not_editable()
    return body


def is_draft(call: Call, invoice_id: str) -> bool:
    """Whether items on this invoice may still change."""
    found = row(call, invoice_id)
    return found is not None and found["status"] == "draft"


def not_editable() -> ApiError:
    """Stripe's 400 for an invoice that has been finalised."""
    return ApiError(
        400,
        "Finalized invoices can't be updated in this way. See "
        "https://stripe.com/docs/invoicing/invoice-edits.",
        "invoice_not_editable",
    )


def save(call: Call, body: Json) -> None:
    """Write the invoice's JSON back."""
    call.db.execute(
        "UPDATE invoices SET status = ?, body = ? WHERE id = ?",
        (body["status"], json.dumps(body), body["id"]),
    )
