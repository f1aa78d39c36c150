"""``ai_domain_events``: the outbox of what happened here."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import SQLModel

from aimeter_cli.models.columns import moment, primary_key, reference


class DomainEvent(SQLModel, table=True):
    """``payload`` is a JSON object; written in the transaction that made it true."""

    __tablename__ = "ai_domain_events"

    id: int = primary_key()
    name: str
    billable_id: int | None = reference("ai_billables.id", nullable=True)
    payload: str
    created_at: datetime = moment()
