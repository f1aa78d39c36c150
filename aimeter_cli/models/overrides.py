"""``ai_usage_limit_overrides``: other limits for one billable, for a time."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import BigInteger, CheckConstraint, Index
from sqlmodel import Field, SQLModel

from aimeter_cli.db.types import Nanos
from aimeter_cli.models.columns import moment, primary_key, reference


class UsageLimitOverride(SQLModel, table=True):
    """Limits of usages that occur in ``[starts_at, ends_at)``, instead of the plan's.

    A limit that is None is the plan's, unless it is lifted. ``cost_limit`` is in the currency of
    the plan that holds then.
    """

    __tablename__ = "ai_usage_limit_overrides"
    __table_args__ = (
        CheckConstraint("starts_at < ends_at", name="override_order"),
        Index("ix_override_billable", "billable_id", "ends_at"),
    )

    id: int = primary_key()
    billable_id: int = reference("ai_billables.id")
    starts_at: datetime = moment()
    ends_at: datetime = moment()
    token_limit: int | None = Field(default=None, sa_type=BigInteger)
    cost_limit: Decimal | None = Field(default=None, sa_type=Nanos)
    request_limit: int | None = Field(default=None, sa_type=BigInteger)
    lifts_tokens: bool = False
    lifts_cost: bool = False
    lifts_requests: bool = False
    reason: str | None = None
    created_at: datetime = moment()
