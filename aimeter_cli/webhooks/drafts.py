"""The newest renewal of a subscription: the end of the period that it closes, and its draft.

The end only moves on, and stays when the draft is closed, so that an older event, or the same one
once more, never brings a draft back.
"""

from __future__ import annotations

from datetime import datetime

from aimeter_cli.domain.stripe_payloads import StripeInvoice
from aimeter_cli.webhooks.handling import Handling, Row


def note_draft(handling: Handling, row: Row, invoice_id: str, period_end: datetime) -> Row:
    """``invoice_id`` takes what was used until ``period_end``, unless a newer one is known."""
    if not _is_newer(row, period_end):
        return row
    draft = {"draft_invoice_id": invoice_id, "draft_period_end": period_end}
    return handling.change(row, draft)


def note_closed(handling: Handling, row: Row, invoice: StripeInvoice) -> Row:
    """The invoice is no draft any more, whether or not it was known to be one."""
    if invoice.renewal_end is not None and _is_newer(row, invoice.renewal_end):
        closed = {"draft_invoice_id": None, "draft_period_end": invoice.renewal_end}
        return handling.change(row, closed)
    if row["draft_invoice_id"] == invoice.id:
        return handling.change(row, {"draft_invoice_id": None})
    return row


def _is_newer(row: Row, period_end: datetime) -> bool:
    known: datetime | None = row["draft_period_end"]
    return known is None or period_end > known
