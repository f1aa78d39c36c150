"""``ai_subscriptions``: facts about a billable's time on a plan; the status is derived."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Column, Text
from sqlmodel import Field, SQLModel

from aimeter_cli.domain.metering_period import PeriodFacts, metering_period
from aimeter_cli.domain.periods import Alignment, Period, PeriodRule, PeriodType
from aimeter_cli.models.columns import moment, partial_index, primary_key, reference


class Subscription(SQLModel, table=True):
    """``current_period_*`` is Stripe's, or the first period where ``--renews-at`` set its end.

    ``unpaid_invoices`` are those beside ``grace_invoice_id``, each with the end of its grace.
    ``plan_history`` has the plans that held before ``plan_id``, oldest first, each
    ``{"plan_id", "until"}``. From ``plan_changes_at`` on the plan is ``next_plan_id``.
    ``draft_invoice_id`` is Stripe's draft for what was used until ``draft_period_end``, as long as
    it takes items. Payments that failed until ``recovered_at`` are forgiven. ``period_anchor`` is
    what anchored periods are counted from. ``is_live`` is unique per billable: a subscription that
    is over keeps its row, not its place.
    """

    __tablename__ = "ai_subscriptions"
    __table_args__ = (
        CheckConstraint("billing_mode IN ('plan', 'credits')", name="subscription_billing_mode"),
        CheckConstraint("ends_at IS NULL OR ends_at >= started_at", name="subscription_order"),
        partial_index("uq_live_subscription", "billable_id", unique=True, where="is_live"),
    )  # fmt: skip

    id: int = primary_key()
    billable_id: int = reference("ai_billables.id", index=True)
    plan_id: int = reference("ai_plans.id", index=True)
    billing_mode: str = "plan"
    is_live: bool = True
    started_at: datetime = moment()
    renews_at: datetime | None = moment(nullable=True)
    ends_at: datetime | None = moment(nullable=True)
    trial_ends_at: datetime | None = moment(nullable=True)
    grace_period_ends_at: datetime | None = moment(nullable=True)
    grace_invoice_id: str | None = None
    unpaid_invoices: dict[str, str] = Field(
        default_factory=dict, sa_column=Column(JSON, nullable=False)
    )
    expired_at: datetime | None = moment(nullable=True)
    paused_at: datetime | None = moment(nullable=True)
    cancellation_reason: str | None = None
    is_incomplete: bool = False
    period_type: PeriodType = Field(default="monthly", sa_type=Text)
    period_alignment: Alignment = Field(default="calendar", sa_type=Text)
    timezone: str = "UTC"
    period_anchor: datetime = moment()
    current_period_start: datetime | None = moment(nullable=True)
    current_period_end: datetime | None = moment(nullable=True)
    stripe_subscription_id: str | None = Field(default=None, unique=True)
    stripe_updated_at: datetime | None = moment(nullable=True)
    draft_invoice_id: str | None = None
    draft_period_end: datetime | None = moment(nullable=True)
    recovered_at: datetime | None = moment(nullable=True)
    next_plan_id: int | None = reference("ai_plans.id", nullable=True)
    plan_changes_at: datetime | None = moment(nullable=True)
    plan_history: list[dict[str, Any]] = Field(
        default_factory=list, sa_column=Column(JSON, nullable=False)
    )
    meta: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    created_at: datetime = moment()
    updated_at: datetime = moment()

    def period_at(self, time: datetime) -> Period:
        """The metering period that holds ``time``."""
        rule = PeriodRule(self.period_type, self.period_alignment, self.timezone)
        facts = PeriodFacts(
            self.period_anchor,
            self.started_at,
            self.current_period_start,
            self.current_period_end,
        )
        return metering_period(rule, facts, time)
