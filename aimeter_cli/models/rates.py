"""``ai_rates``: dated conversion rates with their source; ``ai_held_rates``: those not used yet."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlmodel import Field, SQLModel

from aimeter_cli.db.types import ExactDecimal
from aimeter_cli.models.columns import moment, primary_key


class RateRow(SQLModel, table=True):
    """1 ``base`` = ``value`` ``quote`` from ``effective_at`` until the next one."""

    __tablename__ = "ai_rates"
    __table_args__ = (
        UniqueConstraint("base", "quote", "effective_at", name="uq_rate"),
        CheckConstraint("base <> quote", name="rate_pair"),
    )

    id: int = primary_key()
    base: str
    quote: str
    value: Decimal = Field(sa_type=ExactDecimal)
    source: str
    effective_at: datetime = moment()
    created_at: datetime = moment()


class HeldRate(SQLModel, table=True):
    """A rate that differs from ``previous``, the one in force at its time, by more than
    ``rate_max_move``: not used until it is confirmed. ``previous`` is in the same direction."""

    __tablename__ = "ai_held_rates"
    __table_args__ = (
        UniqueConstraint("base", "quote", "effective_at", name="uq_held_rate"),
        CheckConstraint("base <> quote", name="held_rate_pair"),
    )

    id: int = primary_key()
    base: str
    quote: str
    value: Decimal = Field(sa_type=ExactDecimal)
    source: str
    previous: Decimal = Field(sa_type=ExactDecimal)
    effective_at: datetime = moment()
    created_at: datetime = moment()
