"""``ai_domain_events``: the outbox of what happened here, and its deliveries to sinks."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlmodel import SQLModel

from aimeter_cli.models.columns import moment, partial_index, primary_key, reference

_NEW = "fanned_out_at IS NULL"
_DUE = "status = 'pending'"
_FAILED = "status = 'failed'"


class DomainEvent(SQLModel, table=True):
    """``payload`` is a JSON object; written in the transaction that made it true.

    ``fanned_out_at``: when its deliveries were written down, one for each sink that wants it.
    """

    __tablename__ = "ai_domain_events"
    __table_args__ = (partial_index("ix_event_new", "id", where=_NEW),)

    id: int = primary_key()
    name: str
    billable_id: int | None = reference("ai_billables.id", nullable=True)
    payload: str
    created_at: datetime = moment()
    fanned_out_at: datetime | None = moment(nullable=True)


class EventDelivery(SQLModel, table=True):
    """An event on its way to a sink, at least once. A lease says who is at work on it."""

    __tablename__ = "ai_event_deliveries"
    __table_args__ = (
        UniqueConstraint("event_id", "sink", name="uq_delivery"),
        CheckConstraint("status IN ('pending', 'delivered', 'failed')", name="delivery_status"),
        partial_index("ix_delivery_due", "not_before", where=_DUE),
        partial_index("ix_delivery_failed", "event_id", where=_FAILED),
    )

    id: int = primary_key()
    event_id: int = reference("ai_domain_events.id")
    sink: str
    status: str = "pending"
    attempts: int = 0
    not_before: datetime = moment()
    lease_token: str | None = None
    lease_expires_at: datetime | None = moment(nullable=True)
    delivered_at: datetime | None = moment(nullable=True)
    last_error: str | None = None
