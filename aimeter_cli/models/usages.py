"""``ai_usages``, append-only, and the counters that make limits cheap to check."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from aimeter_cli.db.types import ExactDecimal, Nanos
from aimeter_cli.models.columns import moment, partial_index, primary_key, reference

UNPAID = "state = 'unpaid'"
WAITING = "state IN ('unpriced', 'needs_rate')"


class Usage(SQLModel, table=True):
    """One metered call.

    ``cost`` is in ``currency`` (None: ``unpriced``); ``plan_cost`` the same in the counter's
    currency, at the rate told in ``exchange``; ``charge`` is what it added to ``overage_id``.
    ``price_id``: by what it was priced, where the caller told no cost. ``billing_mode`` is told
    where a wallet pays. ``adjusts_id``: a signed correction of that usage, which is no request.
    """

    __tablename__ = "ai_usages"
    __table_args__ = (
        CheckConstraint(
            "state IN ('priced', 'unpriced', 'needs_rate', 'unpaid')", name="usage_state"
        ),
        Index("ix_usage_billable", "billable_id", "occurred_at"),
        partial_index("ix_usage_overage", "overage_id", where="overage_id IS NOT NULL"),
        partial_index("ix_usage_waiting", "provider", "model", where=WAITING),
        partial_index("ix_usage_unpaid", "billable_id", "id", where=UNPAID),
        partial_index("ix_usage_adjusts", "adjusts_id", where="adjusts_id IS NOT NULL"),
    )  # fmt: skip

    id: int = primary_key()
    idempotency_key: str = Field(unique=True)
    fingerprint: str
    billable_id: int = reference("ai_billables.id")
    subscription_id: int | None = reference("ai_subscriptions.id", nullable=True)
    counter_id: int | None = reference("ai_usage_counters.id", nullable=True)
    overage_id: int | None = reference("ai_overages.id", nullable=True)
    provider: str
    model: str
    feature: str | None = None
    input_tokens: int = Field(default=0, sa_type=BigInteger)
    cached_input_tokens: int = Field(default=0, sa_type=BigInteger)
    cache_write_tokens: int = Field(default=0, sa_type=BigInteger)
    output_tokens: int = Field(default=0, sa_type=BigInteger)
    reasoning_tokens: int = Field(default=0, sa_type=BigInteger)
    cost: Decimal | None = Field(default=None, sa_type=Nanos)
    currency: str
    plan_cost: Decimal | None = Field(default=None, sa_type=Nanos)
    exchange: str | None = None
    charge: Decimal = Field(default=Decimal(0), sa_type=Nanos)
    state: str
    occurred_at: datetime = moment()
    recorded_at: datetime = moment()
    meta: str | None = None
    price_id: int | None = reference("ai_prices.id", nullable=True)
    billing_mode: str | None = None
    user_ref: str | None = None
    tenant: str | None = None
    adjusts_id: int | None = reference("ai_usages.id", nullable=True)


class UsageDay(SQLModel, table=True):
    """What is left of pruned usages: their sums of one ``day`` (UTC, ``2026-10-31``).

    Of an imported overage there is nothing else, either: one row has its charge. Several rows may
    be of one day; sums go over all. ``requests`` are without adjustments.
    """

    __tablename__ = "ai_usage_days"
    __table_args__ = (
        Index("ix_usage_day", "billable_id", "day"),
        Index("ix_usage_day_day", "day"),
        partial_index("ix_usage_day_overage", "overage_id", where="overage_id IS NOT NULL"),
        partial_index("ix_usage_day_counter", "counter_id", where="counter_id IS NOT NULL"),
    )

    id: int = primary_key()
    day: str
    billable_id: int = reference("ai_billables.id")
    subscription_id: int | None = reference("ai_subscriptions.id", nullable=True)
    counter_id: int | None = reference("ai_usage_counters.id", nullable=True)
    overage_id: int | None = reference("ai_overages.id", nullable=True)
    provider: str
    model: str
    feature: str | None = None
    tenant: str | None = None
    billing_mode: str | None = None
    requests: int = Field(default=0, sa_type=BigInteger)
    input_tokens: int = Field(default=0, sa_type=BigInteger)
    cached_input_tokens: int = Field(default=0, sa_type=BigInteger)
    cache_write_tokens: int = Field(default=0, sa_type=BigInteger)
    output_tokens: int = Field(default=0, sa_type=BigInteger)
    reasoning_tokens: int = Field(default=0, sa_type=BigInteger)
    cost: Decimal = Field(default=Decimal(0), sa_type=Nanos)
    currency: str
    plan_cost: Decimal = Field(default=Decimal(0), sa_type=Nanos)
    charge: Decimal = Field(default=Decimal(0), sa_type=Nanos)


class UsageCounter(SQLModel, table=True):
    """Totals of a (billable, plan, period), with the terms that held when it was begun.

    A trial has its own, so that the order in which its usages arrive changes no charge.
    ``approached_at``, ``reached_at``: when the events of this period were emitted. ``is_adjusted``:
    usages were imported, counted under other limits, repriced or pruned: it cannot be replayed.
    """

    __tablename__ = "ai_usage_counters"
    __table_args__ = (
        UniqueConstraint(
            "billable_id", "plan_id", "period_start", "period_end", "is_trial", name="uq_counter"
        ),
        CheckConstraint("period_start < period_end", name="counter_period"),
    )

    id: int = primary_key()
    billable_id: int = reference("ai_billables.id")
    plan_id: int = reference("ai_plans.id")
    period_start: datetime = moment()
    period_end: datetime = moment()
    is_trial: bool = False
    currency: str
    token_limit: int | None = Field(default=None, sa_type=BigInteger)
    cost_limit: Decimal | None = Field(default=None, sa_type=Nanos)
    request_limit: int | None = Field(default=None, sa_type=BigInteger)
    overage_price_per_1k_tokens: Decimal | None = Field(default=None, sa_type=Nanos)
    overage_markup: Decimal = Field(sa_type=ExactDecimal)
    overage_behavior: str
    tokens: int = Field(default=0, sa_type=BigInteger)
    requests: int = Field(default=0, sa_type=BigInteger)
    cost: Decimal = Field(default=Decimal(0), sa_type=Nanos)
    excess_token_cost: Decimal = Field(default=Decimal(0), sa_type=Nanos)
    excess_request_cost: Decimal = Field(default=Decimal(0), sa_type=Nanos)
    approached_at: datetime | None = moment(nullable=True)
    reached_at: datetime | None = moment(nullable=True)
    is_adjusted: bool = False
