"""``ai_webhook_events``: Stripe's events as they came, unique by mode and id."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlmodel import SQLModel

from aimeter_cli.models.columns import moment, primary_key

STATUSES = ("received", "processed", "ignored", "stale", "failed", "quarantined")


class WebhookEvent(SQLModel, table=True):
    """``payload`` is the raw text, ``digest`` its SHA-256 over the parsed content."""

    __tablename__ = "ai_webhook_events"
    __table_args__ = (
        UniqueConstraint("livemode", "event_id", name="uq_webhook_event"),
        CheckConstraint(f"status IN {STATUSES}", name="webhook_event_status"),
        Index("ix_webhook_event_object", "object_id", "created"),
    )

    id: int = primary_key()
    event_id: str
    livemode: bool
    type: str
    object_id: str | None = None
    created: datetime = moment()
    payload: str
    digest: str
    status: str
    error: str | None = None
    attempts: int = 0
    received_at: datetime = moment()
    handled_at: datetime | None = moment(nullable=True)
