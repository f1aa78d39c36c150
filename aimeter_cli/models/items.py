"""``ai_invoice_items``, our mirror of the pending items at Stripe, and ``ai_sync_attempts``."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import BigInteger, CheckConstraint, UniqueConstraint
from sqlmodel import Field, SQLModel

from aimeter_cli.db.types import Nanos
from aimeter_cli.models.columns import moment, partial_index, primary_key, reference

STATUSES = ("idle", "sending", "unknown", "failed", "held", "closed")
KINDS = ("create", "update", "create_invoice", "add_lines", "finalize")

_LIVE = "status <> 'closed'"
_DUE = "status IN ('sending', 'unknown')"
_DIRTY = "status = 'idle' AND is_dirty"
_CARRY = "status = 'closed' AND carried_to_id IS NULL AND carry_out <> 0"
_PENDING = "status = 'idle' AND stripe_item_id IS NOT NULL"
_INVOICED = "final_invoice_id IS NOT NULL"


class InvoiceItem(SQLModel, table=True):
    """One pending item per (billable, subscription, service period, currency).

    ``version`` counts the amounts we set, ``generation`` the keys under which one was sent;
    ``confirmed_*`` is what Stripe is known to have. ``step`` is where the version in flight stands
    (:class:`aimeter_cli.domain.sync.Step`). ``is_dirty``: its overages changed, the amount must be
    set anew. ``may_overwrite``: an operator released it after a person changed it at Stripe.
    ``is_leaving``: its overages moved to another customer; it closes once it is set to 0.
    ``is_stale``: the database was restored from a backup, Stripe may have a later version.
    ``final_invoice_id``: the invoice that we make for it, because its subscription has ended.
    """

    __tablename__ = "ai_invoice_items"
    __table_args__ = (
        CheckConstraint(f"status IN {STATUSES}", name="item_status"),
        CheckConstraint(
            "(status = 'sending') = (lease_token IS NOT NULL)", name="item_lease"
        ),
        CheckConstraint("(status = 'closed') = (carry_out IS NOT NULL)", name="item_closed"),
        CheckConstraint("confirmed_version <= version", name="item_version"),
        CheckConstraint("target_minor >= 0", name="item_target"),
        partial_index("uq_item_live", "billable_id", "subscription_id", "period_start", "currency",
              unique=True, where=_LIVE),
        UniqueConstraint("billable_id", "subscription_id", "period_start", "currency", "sequence",
                         name="uq_item_sequence"),
        partial_index("ix_item_due", "not_before", where=_DUE),
        partial_index("ix_item_dirty", "id", where=_DIRTY),
        partial_index("ix_item_pending", "period_end", where=_PENDING),
        partial_index("ix_item_carry", "billable_id", "currency", where=_CARRY),
        partial_index("ix_item_carried_to", "carried_to_id", where="carried_to_id IS NOT NULL"),
        partial_index("ix_item_final_invoice", "final_invoice_id", where=_INVOICED),
    )  # fmt: skip

    id: int = primary_key()
    uid: str = Field(unique=True)
    billable_id: int = reference("ai_billables.id")
    subscription_id: int = reference("ai_subscriptions.id")
    period_start: datetime = moment()
    period_end: datetime = moment()
    currency: str
    sequence: int = 1
    status: str = "idle"
    step: str = "send"
    is_dirty: bool = False
    may_overwrite: bool = False
    is_leaving: bool = False
    is_stale: bool = False
    stripe_customer_id: str | None = None
    stripe_item_id: str | None = Field(default=None, unique=True)
    stripe_invoice_id: str | None = None
    final_invoice_id: int | None = reference("ai_final_invoices.id", nullable=True)
    version: int = 0
    generation: int = 0
    target_minor: int = Field(default=0, sa_type=BigInteger)
    confirmed_minor: int = Field(default=0, sa_type=BigInteger)
    confirmed_version: int = 0
    lease_token: str | None = None
    lease_expires_at: datetime | None = moment(nullable=True)
    not_before: datetime | None = moment(nullable=True)
    attempts: int = 0
    unanswered_at: datetime | None = moment(nullable=True)
    reason: str | None = None
    check_after: datetime | None = moment(nullable=True)
    final_minor: int | None = Field(default=None, sa_type=BigInteger)
    carry_out: Decimal | None = Field(default=None, sa_type=Nanos)
    carried_to_id: int | None = reference("ai_invoice_items.id", nullable=True)
    carried_in_version: int | None = None
    created_at: datetime = moment()
    updated_at: datetime = moment()


class SyncAttempt(SQLModel, table=True):
    """One request to Stripe, written down, byte for byte, before it is sent.

    Of an invoice item, or of a final invoice; then ``version`` is the number of its phase.
    """

    __tablename__ = "ai_sync_attempts"
    __table_args__ = (
        UniqueConstraint("item_id", "version", "generation", name="uq_attempt"),
        UniqueConstraint("final_invoice_id", "version", "generation", name="uq_final_attempt"),
        CheckConstraint(f"kind IN {KINDS}", name="attempt_kind"),
        CheckConstraint("(item_id IS NULL) <> (final_invoice_id IS NULL)", name="attempt_of_one"),
    )

    id: int = primary_key()
    item_id: int | None = reference("ai_invoice_items.id", nullable=True)
    final_invoice_id: int | None = reference("ai_final_invoices.id", nullable=True)
    run_id: str
    version: int
    generation: int
    kind: str
    stripe_item_id: str | None = None
    amount_minor: int = Field(sa_type=BigInteger)
    request: str
    idempotency_key: str = Field(unique=True)
    first_sent_at: datetime = moment()
    last_sent_at: datetime = moment()
    sends: int = 0
    outcome: str | None = None
    request_id: str | None = None
    error: str | None = None
