"""The database's clock: leases, back-off and send times follow it, so that hosts may disagree."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import cast

from sqlalchemy import func, select
from sqlmodel import Session

_ASK = select(func.clock_timestamp())
_NOW = "database_now"


def database_now(session: Session) -> datetime:
    """Aware UTC. An SQLite file is on this host, whose clock is then the database's.

    Asked for once in a session: they are short, and a lease that begins earlier is the safe side.
    """
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        return datetime.now(UTC)
    if _NOW not in session.info:
        session.info[_NOW] = connection.execute(_ASK).scalar_one().astimezone(UTC)
    return cast(datetime, session.info[_NOW])


def steady() -> float:
    """Seconds that only grow, also while the machine sleeps: a lease runs out meanwhile."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boottime is None else time.clock_gettime(boottime)
