"""Handlers of ``invoice.*``: renewal drafts, failed payments and the grace that they start.

Every event but ``created`` tells that the invoice is no draft any more: what it took is closed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from aimeter_cli.domain.events import EventName
from aimeter_cli.domain.grace import after_failure, after_settlement
from aimeter_cli.domain.periods import iso
from aimeter_cli.domain.stripe_payloads import StripeInvoice, is_recovery, read_invoice
from aimeter_cli.domain.stripe_state import ended_for_good
from aimeter_cli.repositories.webhook_events import PastEvent
from aimeter_cli.webhooks.drafts import note_closed, note_draft
from aimeter_cli.webhooks.grace_rows import grace_of, store_grace
from aimeter_cli.webhooks.handling import Handling, Row, reread
from aimeter_cli.webhooks.invoice_items import close_soon, tell_voided
from aimeter_cli.webhooks.results import Outcome

FAILED, VOIDED = "invoice.payment_failed", "invoice.voided"
SETTLED = ("invoice.paid", "invoice.payment_succeeded", VOIDED)
NO_DRAFT = (*SETTLED, FAILED, "invoice.finalized", "invoice.marked_uncollectible",
            "invoice.deleted")  # fmt: skip
_ONE_OFF = Outcome("ignored", "the invoice belongs to no subscription")


def created(handling: Handling) -> Outcome:
    """A renewal's draft: what was used in the period that it closes is synced onto it at once."""
    invoice = read_invoice(handling.event.object)
    if invoice.subscription_id is None:
        return _ONE_OFF
    if invoice.renewal_end is None or not invoice.is_draft:
        return Outcome("ignored", "no draft of a renewal")
    row = handling.subscription(invoice.subscription_id)
    if any(each.type in NO_DRAFT for each in handling.history(invoice.id)):
        return Outcome("stale", "the draft is closed")
    row = note_draft(handling, row, invoice.id, invoice.renewal_end)
    if row["draft_invoice_id"] != invoice.id:
        return Outcome("stale", "the draft is closed, or a later one is known")
    return Outcome("processed", follow_up=handling.billable(row))


def closed(handling: Handling) -> Outcome:
    """Finalised, uncollectible or deleted: it takes nothing more, and no grace begins or ends."""
    invoice = read_invoice(handling.event.object)
    if invoice.subscription_id is None:
        return _one_off(handling, invoice)
    row = handling.subscription(invoice.subscription_id)
    row = note_closed(handling, row, invoice)
    return Outcome("processed", follow_up=close_soon(handling, invoice, row))


def payment_failed(handling: Handling) -> Outcome:
    """The first failure of an invoice starts its grace; whatever has settled it since wins."""
    invoice = read_invoice(handling.event.object)
    if invoice.subscription_id is None:
        return _one_off(handling, invoice)
    row = note_closed(handling, handling.subscription(invoice.subscription_id), invoice)
    follow_up = close_soon(handling, invoice, row)
    past = handling.history(invoice.id)
    reason = _why_no_grace(handling, row, past)
    if reason is None:
        days = handling.settings.payment_failure_grace_period
        grace = after_failure(grace_of(row), invoice.id, handling.event.created, days)
        row = store_grace(handling, row, grace)
    if not handling.was_handled and not _told_before(invoice, past):
        _emit_failure(handling, row, invoice, starts_grace=reason is None)
    return Outcome("processed" if reason is None else "stale", reason, follow_up)


def settled(handling: Handling) -> Outcome:
    """The invoice is paid or void: its grace is over, and an expired subscription lives again."""
    invoice = read_invoice(handling.event.object)
    if handling.event.type == VOIDED:
        tell_voided(handling, invoice)
    if invoice.subscription_id is None:
        return _one_off(handling, invoice)
    row = note_closed(handling, handling.subscription(invoice.subscription_id), invoice)
    if not has_ended(row):
        days = handling.settings.payment_failure_grace_period
        grace = after_settlement(grace_of(row), [invoice.id], handling.event.created, days)
        row = store_grace(handling, row, grace)
    return Outcome("processed", follow_up=close_soon(handling, invoice, row))


def _one_off(handling: Handling, invoice: StripeInvoice) -> Outcome:
    """It may have taken items of ours all the same: a person invoiced all that was pending."""
    return replace(_ONE_OFF, follow_up=close_soon(handling, invoice, None))


def has_ended(row: Row) -> bool:
    return ended_for_good(
        is_live=row["is_live"], ends_at=row["ends_at"], expired_at=row["expired_at"]
    )


def failure_times(handling: Handling, invoice_id: str) -> list[datetime]:
    """When payments of the invoice are known to have failed."""
    return [row.created for row in handling.history(invoice_id) if row.type == FAILED]


def _why_no_grace(handling: Handling, row: Row, past: Sequence[PastEvent]) -> str | None:
    if has_ended(row):
        return "the subscription has ended"
    if any(event.type in SETTLED for event in past):
        return "the invoice has been settled"
    since = handling.event.created
    if row["recovered_at"] is not None and row["recovered_at"] >= since:
        return "the subscription has recovered since"
    for stored in handling.history(row["stripe_subscription_id"], since=since):
        later = reread(stored)
        if later is not None and is_recovery(later.object, later.previous):
            return "the subscription has recovered since"
    return None


def _told_before(invoice: StripeInvoice, past: Sequence[PastEvent]) -> bool:
    """Whether another event told the same failure: (invoice, attempt) is its identity."""
    told = (row for row in past if row.type == FAILED and row.status != "ignored")
    return invoice.attempt_count in [row.attempt_count for row in told]


def _emit_failure(
    handling: Handling, row: Row, invoice: StripeInvoice, *, starts_grace: bool
) -> None:
    next_attempt, grace_end = invoice.next_payment_attempt, row["grace_period_ends_at"]
    handling.emit(
        EventName.PAYMENT_FAILED,
        row,
        {
            "invoice_id": invoice.id,
            "attempt_count": invoice.attempt_count,
            "failed_at": iso(handling.event.created),
            "next_payment_attempt": iso(next_attempt) if next_attempt else None,
            "grace_period_ends_at": iso(grace_end) if starts_grace and grace_end else None,
        },
    )
