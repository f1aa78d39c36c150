"""``ai_billables``: who is billed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from aimeter_cli.domain.references import BillableRef
from aimeter_cli.models.columns import moment, primary_key


class Billable(SQLModel, table=True):
    """``currency`` is that of the Stripe customer; None: whatever the plan's currency is."""

    __tablename__ = "ai_billables"
    __table_args__ = (UniqueConstraint("type", "external_id", name="uq_billable"),)

    id: int = primary_key()
    type: str
    external_id: str
    email: str | None = None
    name: str | None = None
    currency: str | None = None
    stripe_customer_id: str | None = Field(default=None, unique=True)
    created_at: datetime = moment()
    anonymized_at: datetime | None = moment(nullable=True)

    @property
    def ref(self) -> str:
        return str(BillableRef(self.type, self.external_id))
