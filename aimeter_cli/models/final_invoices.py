"""``ai_final_invoices``: those that we make because a subscription ended before Stripe's came."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint
from sqlmodel import Field, SQLModel

from aimeter_cli.models.columns import moment, partial_index, primary_key, reference

STATUSES = ("sending", "unknown", "failed", "held", "done")
PHASES = ("create_invoice", "add_lines", "finalize")

_OPEN = "status <> 'done'"
_DUE = "status IN ('sending', 'unknown')"


class FinalInvoice(SQLModel, table=True):
    """One draft that takes the pending items of an ended subscription in one currency.

    ``phase`` is the request that is to be made next, ``step`` where it stands
    (:class:`aimeter_cli.domain.sync.Step`); lease, generation and back-off are as for items.
    """

    __tablename__ = "ai_final_invoices"
    __table_args__ = (
        CheckConstraint(f"status IN {STATUSES}", name="final_status"),
        CheckConstraint(f"phase IN {PHASES}", name="final_phase"),
        CheckConstraint("(status = 'sending') = (lease_token IS NOT NULL)", name="final_lease"),
        partial_index("uq_final_open", "subscription_id", "currency", unique=True, where=_OPEN),
        partial_index("ix_final_due", "not_before", where=_DUE),
    )

    id: int = primary_key()
    uid: str = Field(unique=True)
    billable_id: int = reference("ai_billables.id")
    subscription_id: int = reference("ai_subscriptions.id")
    currency: str
    status: str
    phase: str = "create_invoice"
    step: str = "send"
    stripe_customer_id: str
    stripe_invoice_id: str | None = Field(default=None, unique=True)
    generation: int = 0
    lease_token: str | None = None
    lease_expires_at: datetime | None = moment(nullable=True)
    not_before: datetime | None = moment(nullable=True)
    attempts: int = 0
    unanswered_at: datetime | None = moment(nullable=True)
    reason: str | None = None
    created_at: datetime = moment()
    updated_at: datetime = moment()
