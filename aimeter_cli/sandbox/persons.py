"""What a person does in Stripe's dashboard, between requests or in the middle of one."""

import dataclasses
import json

from . import invoice_items, invoice_moves, invoice_view, invoices
from .call import Call, Json
from .faults import Fault
from .ledger import effect
from .refusals import ApiError
from .settings import Clock
from .store import savepoint


def draft(call: Call, customer_id: str) -> list[str]:
    """Put all that is pending for the customer on drafts; returns the invoice ids.

    Items without a subscription go on one invoice, those of each subscription on another, at most
    250 on each.
    """
    made: list[str] = []
    while True:
        row = call.db.execute(
            "SELECT subscription FROM items WHERE customer = ? AND invoice IS NULL AND deleted = 0"
            " ORDER BY subscription LIMIT 1",
            (customer_id,),
        ).fetchone()
        if row is None:
            return made
        subscription = row["subscription"]
        reason = "manual" if subscription is None else "subscription_cycle"
        made.append(invoices.collect(call, customer_id, subscription, reason=reason)["id"])


def finalize(call: Call, customer_id: str) -> list[str]:
    """Finalise the customer's drafts, those of :func:`draft` too; returns the invoice ids."""
    draft(call, customer_id)
    rows = call.db.execute(
        "SELECT id FROM invoices WHERE customer = ? AND status = 'draft' AND deleted = 0"
        " ORDER BY n",
        (customer_id,),
    ).fetchall()
    for row in rows:
        invoice_moves.finalize(dataclasses.replace(call, object_id=row["id"]))
    return [row["id"] for row in rows]


def delete_item(call: Call, item_id: str) -> Json:
    """Delete an item; raises :class:`.refusals.ApiError` when its invoice is closed."""
    return invoice_items.delete(dataclasses.replace(call, object_id=item_id))


def change_item(call: Call, item_id: str, *, amount: int | None = None, add: int = 0) -> Json:
    """Set an item's amount, or add to it, in minor units; its metadata stays as it is."""
    body = invoice_items.load_editable(call, item_id)
    old = body["amount"]
    body["amount"] = body["net_amount"] = old + add if amount is None else amount
    body["pricing"]["unit_amount_decimal"] = str(body["amount"])
    body["quantity"], body["quantity_decimal"] = 1, "1"
    invoice_items.save(call, body)
    effect(call, "update", body, old, body["amount"])
    return body


def around(call: Call, fault: Fault, clock: Clock, customer: str | None, path: str) -> None:
    """Do what a fault says; nothing when there is nothing to do it to."""
    if fault.kind == "clock":
        clock.move(call.db, fault.number("seconds"))
        return
    try:
        with savepoint(call.db):
            if fault.kind == "finalize" and customer is not None:
                finalize(call, customer)
                return
            item_id = _item(call, customer, path)
            if item_id is None:
                return
            if fault.kind == "delete_item":
                delete_item(call, item_id)
            elif fault.kind == "change_item":
                amount = fault.option("amount")
                change_item(
                    call,
                    item_id,
                    amount=int(amount) if amount else None,
                    add=int(fault.option("add")),
                )
    except ApiError:
        return


def _item(call: Call, customer: str | None, path: str) -> str | None:
    parts = path.split("/")
    if len(parts) > 3 and parts[2] == "invoiceitems":
        return parts[3]
    rows = call.db.execute(
        "SELECT items.id, items.invoice, invoices.status FROM items"
        " LEFT JOIN invoices ON invoices.id = items.invoice"
        " WHERE items.customer = ? AND items.deleted = 0 ORDER BY items.n DESC",
        (customer,),
    )
    for row in rows:
        if row["invoice"] is None or row["status"] == "draft":
            return str(row["id"])
    return None


def everything(call: Call, table: str) -> list[Json]:
    """All objects of a table, oldest first, deleted ones marked; for tests to look at."""
    rows = call.db.execute(f"SELECT * FROM {table} ORDER BY n").fetchall()
    found = []
    for row in rows:
        body: Json = json.loads(row["body"])
        if table == "invoices":
            body = invoice_view.present(call, body)
        found.append({**body, "deleted": bool(row["deleted"])})
    return found
