"""``ai_installation``: one row that says which installation this is, and whether sync is paused."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint
from sqlmodel import Field, SQLModel

from aimeter_cli.models.columns import moment


class Installation(SQLModel, table=True):
    """``stripe_*`` say whose account the rows were made with; ``stripe_key_hash`` is that of the
    key for which Stripe said so. ``restored_at``: when a backup took this database's place;
    ``first_generation``: of every version since then, so that no earlier key is used again.
    ``pruned_before``: usages that occurred earlier may be gone, with their keys.
    ``events_pulled_until``: Stripe's events up to then have been pulled. ``deliveries_refused``:
    how many webhook deliveries came with a bad signature, the last one ``delivery_refused_at``."""

    __tablename__ = "ai_installation"
    __table_args__ = (CheckConstraint("id = 1", name="one_installation"),)

    id: int = Field(default=1, primary_key=True)
    install_id: str
    created_at: datetime = moment()
    paused_at: datetime | None = moment(nullable=True)
    paused_reason: str | None = None
    stripe_account: str | None = None
    stripe_livemode: bool | None = None
    stripe_key_hash: str | None = None
    restored_at: datetime | None = moment(nullable=True)
    first_generation: int = 0
    pruned_before: datetime | None = moment(nullable=True)
    events_pulled_until: datetime | None = moment(nullable=True)
    deliveries_refused: int = 0
    delivery_refused_at: datetime | None = moment(nullable=True)
