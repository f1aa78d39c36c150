"""``ai_overages``: what lies beyond the plan. Accumulating while open, immutable when frozen."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import BigInteger, CheckConstraint, Index
from sqlmodel import Field, SQLModel

from aimeter_cli.db.types import ExactDecimal, Nanos
from aimeter_cli.models.columns import moment, partial_index, primary_key, reference

STATUSES = (
    "open", "frozen", "carried", "needs_rate", "held", "failed", "unknown", "synced", "waived",
)  # fmt: skip
UNSYNCED = tuple(status for status in STATUSES if status not in ("carried", "synced", "waived"))

# Literal, so that both databases can match them to the partial indexes.
UNSENT = "item_id IS NULL AND status IN ('open', 'frozen', 'needs_rate')"
_OPEN = "status = 'open'"
_LATE = "status = 'held' AND reason = 'late_usage'"
_UNSYNCED = "status NOT IN ('carried', 'synced', 'waived')"


class Overage(SQLModel, table=True):
    """``amount`` is in the plan's ``currency``; ``charge_amount`` in that of the Stripe customer,
    set once with its rate when the row is claimed for an invoice item. ``run_id`` is the sync that
    dealt with it last; ``released_at``: an operator has agreed to charge it, guards let it pass."""

    __tablename__ = "ai_overages"
    __table_args__ = (
        CheckConstraint(f"status IN {STATUSES}", name="overage_status"),
        CheckConstraint("status <> 'open' OR item_id IS NULL", name="overage_open_unclaimed"),
        CheckConstraint(
            "status NOT IN ('synced', 'carried') OR item_id IS NOT NULL"
            " OR external_item_id IS NOT NULL",
            name="overage_accounted",
        ),
        CheckConstraint("item_id IS NULL OR charge_amount IS NOT NULL", name="overage_converted"),
        partial_index("uq_overage_open", "counter_id", "subscription_id", unique=True, where=_OPEN),
        partial_index("uq_overage_late", "counter_id", "subscription_id", unique=True, where=_LATE),
        partial_index("ix_overage_unsent", "id", where=UNSENT),
        partial_index("ix_overage_unsynced", "status", "id", where=_UNSYNCED),
        partial_index(
            "ix_overage_external", "external_item_id", where="external_item_id IS NOT NULL"
        ),
        partial_index("ix_overage_run", "run_id", where="run_id IS NOT NULL"),
        partial_index("ix_overage_item", "item_id", where="item_id IS NOT NULL"),
        Index("ix_overage_billable", "billable_id", "period_start"),
    )  # fmt: skip

    id: int = primary_key()
    billable_id: int = reference("ai_billables.id")
    subscription_id: int = reference("ai_subscriptions.id")
    counter_id: int = reference("ai_usage_counters.id")
    period_start: datetime = moment()
    period_end: datetime = moment()
    status: str = "open"
    reason: str | None = None
    tokens: int = Field(default=0, sa_type=BigInteger)
    amount: Decimal = Field(sa_type=Nanos)
    currency: str
    charge_amount: Decimal | None = Field(default=None, sa_type=Nanos)
    charge_currency: str | None = None
    exchange_rate: Decimal | None = Field(default=None, sa_type=ExactDecimal)
    exchange: str | None = None
    item_id: int | None = reference("ai_invoice_items.id", nullable=True)
    in_version: int | None = None
    external_item_id: str | None = None
    run_id: str | None = None
    released_at: datetime | None = moment(nullable=True)
    attempts: int = 0
    last_error: str | None = None
    synced_at: datetime | None = moment(nullable=True)
    created_at: datetime = moment()
    updated_at: datetime = moment()
