"""``ai_alerts``: what needs a person, from its beginning to its end."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from aimeter_cli.models.columns import moment, partial_index, primary_key, reference

OPEN = "closed_at IS NULL"


class Alert(SQLModel, table=True):
    """A condition that one of the configuration's ``[[alerts]]``, ``name``, is told of.

    ``subject`` tells apart several of a ``kind``: a job, a billable, a reason. ``facts`` is a JSON
    object, as last seen. ``gone_at``: since when it is not seen any more; it stays open until it
    has been gone for long enough.
    """

    __tablename__ = "ai_alerts"
    __table_args__ = (
        partial_index("uq_alert_open", "name", "kind", "subject", where=OPEN, unique=True),
    )

    id: int = primary_key()
    name: str
    kind: str
    subject: str = Field(default="")
    billable_id: int | None = reference("ai_billables.id", nullable=True)
    facts: str
    opened_at: datetime = moment()
    last_told_at: datetime = moment()
    gone_at: datetime | None = moment(nullable=True)
    closed_at: datetime | None = moment(nullable=True)
