"""The database's clock: leases, back-off and send times follow it, so that hosts may disagree."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

from sqlalchemy import func, select
from sqlmodel import Session


def database_now(session: Session) -> datetime:
    """Aware UTC. An SQLite file is on this host, whose clock is then the database's."""
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        return datetime.now(UTC)
    now = connection.execute(select(func.clock_timestamp())).scalar_one()
    return cast(datetime, now).astimezone(UTC)
