"""Giving a final invoice that an operator was waited for back to the sync."""

from __future__ import annotations

from sqlmodel import Session

from aimeter_cli.db.clock import database_now
from aimeter_cli.domain.sync import Step
from aimeter_cli.repositories import final_invoices as repo
from aimeter_cli.repositories.items import set_item
from aimeter_cli.repositories.overages import OverageView

DROPPED = "deleted_at_stripe"


def reopen_invoice(session: Session, view: OverageView) -> bool:
    """Go on with the final invoice that an overage is on or behind: a refused step is looked up and
    tried again, a draft that a person deleted is made anew. False: it waits for nobody."""
    invoice = repo.stopped_invoice(session, view.subscription_id, view.charge_currency)
    if invoice is None:
        return False
    invoice_id, status = invoice["id"], invoice["status"]
    now = database_now(session)
    if status == "failed":
        repo.set_invoice(
            session, invoice_id, status="unknown", step=Step.LOOK_UP.value, attempts=0,
            not_before=now, updated_at=now,
        )  # fmt: skip
    else:
        for item in repo.items_of(session, invoice_id):
            set_item(session, item["id"], final_invoice_id=None, updated_at=now)
        repo.set_invoice(session, invoice_id, status="done", reason=DROPPED, updated_at=now)
    return True
