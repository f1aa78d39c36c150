"""Giving a final invoice that an operator was waited for back to the sync."""

from __future__ import annotations

from sqlmodel import Session

from aimeter_cli.db.clock import database_now
from aimeter_cli.domain.sync import Step
from aimeter_cli.repositories import final_invoices as repo
from aimeter_cli.repositories.items import item_by_id, set_item

DROPPED = "deleted_at_stripe"


def reopen_invoice(session: Session, item_id: int | None) -> bool:
    """Go on with the final invoice of an item: a refused step is looked up and tried again, a draft
    that a person deleted is made anew. False: it waits for nobody."""
    if item_id is None:
        return False
    invoice_id = item_by_id(session, item_id)["final_invoice_id"]
    if invoice_id is None:
        return False
    status = repo.invoice_by_id(session, invoice_id)["status"]
    now = database_now(session)
    if status == "failed":
        repo.set_invoice(
            session, invoice_id, status="unknown", step=Step.LOOK_UP.value, attempts=0,
            not_before=now, updated_at=now,
        )  # fmt: skip
    elif status == "held":
        for item in repo.items_of(session, invoice_id):
            set_item(session, item["id"], final_invoice_id=None, updated_at=now)
        repo.set_invoice(session, invoice_id, status="done", reason=DROPPED, updated_at=now)
    return status in ("failed", "held")
