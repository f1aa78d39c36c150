"""``ai_rates``: dated conversion rates with their source."""

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
