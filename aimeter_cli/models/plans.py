"""``ai_plans`` and the Stripe prices that mean them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import JSON, BigInteger, CheckConstraint, Column
from sqlmodel import Field, SQLModel

from aimeter_cli.db.types import Nanos
from aimeter_cli.models.columns import moment, primary_key, reference


class Plan(SQLModel, table=True):
    """Limits and prices of a period. A limit of None is unlimited, 0 is none."""

    __tablename__ = "ai_plans"
    __table_args__ = (
        CheckConstraint("token_limit >= 0", name="plan_token_limit"),
        CheckConstraint("cost_limit >= 0", name="plan_cost_limit"),
        CheckConstraint("request_limit >= 0", name="plan_request_limit"),
        CheckConstraint("overage_price_per_1k_tokens >= 0", name="plan_price"),
        CheckConstraint("trial_days >= 0", name="plan_trial"),
        CheckConstraint(
            "overage_behavior IN ('block', 'allow', 'charge')", name="plan_overage_behavior"
        ),
    )

    id: int = primary_key()
    slug: str = Field(unique=True)
    name: str
    currency: str
    token_limit: int | None = Field(default=None, sa_type=BigInteger)
    cost_limit: Decimal | None = Field(default=None, sa_type=Nanos)
    request_limit: int | None = Field(default=None, sa_type=BigInteger)
    overage_price_per_1k_tokens: Decimal | None = Field(default=None, sa_type=Nanos)
    overage_behavior: str | None = None
    trial_days: int = 0
    features: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    is_active: bool = True
    created_at: datetime = moment()
    updated_at: datetime = moment()


class PlanPrice(SQLModel, table=True):
    """A Stripe price whose subscriptions are on this plan."""

    __tablename__ = "ai_plan_prices"

    stripe_price_id: str = Field(primary_key=True)
    plan_id: int = reference("ai_plans.id", index=True)
