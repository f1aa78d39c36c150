"""Pausing the sync: a row that every host honours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from aimeter_cli.db.engine import Database
from aimeter_cli.errors import InvalidInput
from aimeter_cli.repositories.installation import installation


@dataclass(frozen=True, slots=True)
class SyncState:
    """``install_id`` is random; it tells our invoice items from those of other installations."""

    install_id: str
    is_paused: bool
    paused_at: datetime | None
    paused_reason: str | None


def sync_state(database: Database) -> SyncState:
    with database.read() as session:
        here = installation(session)
        return SyncState(
            here.install_id, here.paused_at is not None, here.paused_at, here.paused_reason
        )


def pause(database: Database, reason: str, *, now: datetime, dry_run: bool = False) -> SyncState:
    """From now on every sync says that it is paused, and sends nothing."""
    if not reason.strip() or len(reason) > 500:
        raise InvalidInput("--reason: expected 1 to 500 characters")
    with database.write(dry_run=dry_run) as session:
        here = installation(session)
        here.paused_at, here.paused_reason = here.paused_at or now, reason
        session.add(here)
        return SyncState(here.install_id, True, here.paused_at, reason)


def resume(database: Database, *, dry_run: bool = False) -> SyncState:
    with database.write(dry_run=dry_run) as session:
        here = installation(session)
        here.paused_at = here.paused_reason = None
        session.add(here)
        return SyncState(here.install_id, False, None, None)
