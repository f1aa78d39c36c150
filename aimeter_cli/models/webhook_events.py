"""``ai_webhook_events``: Stripe's events as they came, unique by mode and id."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlmodel import SQLModel

from aimeter_cli.models.columns import moment, partial_index, primary_key

STATUSES = ("received", "processed", "ignored", "stale", "failed", "quarantined")


class WebhookEvent(SQLModel, table=True):
    """``payload`` is the raw text, empty once it has been pruned; ``digest`` its SHA-256,
    which stays. ``waits_for``: the Stripe subscription or customer that is not
    known here yet; the event is handled as soon as it is. ``attempt_count``: of a failed payment,
    which attempt of its invoice it was."""

    __tablename__ = "ai_webhook_events"
    __table_args__ = (
        UniqueConstraint("livemode", "event_id", name="uq_webhook_event"),
        CheckConstraint(f"status IN {STATUSES}", name="webhook_event_status"),
        Index("ix_webhook_event_object", "object_id", "created"),
        partial_index("ix_webhook_event_kept", "received_at", where="payload <> ''"),
        partial_index("ix_webhook_event_waiting", "waits_for", where="waits_for IS NOT NULL"),
        partial_index("ix_webhook_event_due", "id", where="status IN ('received', 'failed')"),
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
    waits_for: str | None = None
    attempt_count: int | None = None
    attempts: int = 0
    received_at: datetime = moment()
    handled_at: datetime | None = moment(nullable=True)
