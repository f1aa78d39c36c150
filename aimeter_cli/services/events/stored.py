"""The outbox and its deliveries, for people to look at, and to try again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select
from sqlmodel import Session

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.errors import Conflict, NotFound
from aimeter_cli.repositories import deliveries as repo
from aimeter_cli.repositories.billables import find_billable
from aimeter_cli.services.names import no_billable
from aimeter_cli.settings.table import Settings

events, deliveries = repo.events, repo.deliveries
_BATCH = 500


@dataclass(frozen=True, slots=True)
class StoredDelivery:
    """``status``: pending (due at ``not_before``), delivered, or failed: given up."""

    sink: str
    status: str
    attempts: int
    not_before: datetime | None
    delivered_at: datetime | None
    last_error: str | None

    @property
    def in_words(self) -> str:
        why = f" ({self.last_error})" if self.last_error else ""
        return f"{self.sink} {self.status}{why}"


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """``fanned_out_at`` None: ``events deliver`` has not seen it yet."""

    id: int
    name: str
    billable: str | None
    created_at: datetime
    fanned_out_at: datetime | None
    payload: Mapping[str, Any]
    deliveries: tuple[StoredDelivery, ...]

    @property
    def delivery(self) -> str | None:
        """Where it stands at each sink, in words."""
        if self.fanned_out_at is None:
            return "new"
        return ", ".join(each.in_words for each in self.deliveries) or None


def list_events(
    database: Database,
    *,
    name: str | None = None,
    billable: BillableRef | None = None,
    since: datetime | None = None,
    undelivered: bool = False,
    failed: bool = False,
    limit: int = 100,
) -> list[StoredEvent]:
    """Events, newest first. ``undelivered``: new, or pending at a sink. Raises NotFound."""
    query = _events().order_by(events.c.id.desc()).limit(limit)
    if name is not None:
        query = query.where(events.c.name == name)
    if since is not None:
        query = query.where(events.c.created_at >= since)
    if undelivered:
        pending = select(deliveries.c.event_id).where(repo.PENDING)
        query = query.where(or_(repo.NEW, events.c.id.in_(pending)))
    if failed:
        given_up = select(deliveries.c.event_id).where(deliveries.c.status == "failed")
        query = query.where(events.c.id.in_(given_up))
    with database.read() as session:
        if billable is not None:
            found = find_billable(session, billable)
            if found is None:
                raise no_billable(session, billable)
            query = query.where(events.c.billable_id == found.id)
        return _found(session, query)


def show_event(database: Database, event_id: int) -> StoredEvent:
    """Raises NotFound."""
    with database.read() as session:
        found = _found(session, _events().where(events.c.id == event_id))
    if not found:
        raise _missing(event_id)
    return found[0]


def prune_events(
    database: Database,
    settings: Settings,
    *,
    older_than: timedelta,
    now: datetime,
    dry_run: bool = False,
) -> int:
    """Delete old events that every sink has, in batches that do not block writers; how many.

    What is on its way or given up stays; what is new, too, where there are sinks.
    """
    pruned, last, new_too = 0, 0, not settings.destinations
    while True:
        with database.write(dry_run=dry_run) as session:
            count, reached = repo.prune(
                session, now - older_than, new_too=new_too, after=last, most=_BATCH
            )
        pruned += count
        if reached is None:
            return pruned
        last = reached


def retry_events(
    database: Database, event_ids: Sequence[int] | None, *, dry_run: bool = False
) -> list[StoredEvent]:
    """Make deliveries due at once, as if never tried: those of events, or all that were given up.

    All or nothing. Raises NotFound, and Conflict for an event that has nothing to deliver.
    """
    with database.write(dry_run=dry_run) as session:
        wanted = None if event_ids is None else sorted(set(event_ids))
        ids = repo.retry(session, wanted)
        found = _found(session, _events().where(events.c.id.in_(wanted or ids)))
        known = {event.id for event in found}
        for one in wanted or ():
            if one not in known:
                raise _missing(one)
            if one not in ids:
                raise Conflict(f"event {one} has nothing to deliver, or is being delivered")
        return [event for event in found if event.id in ids]


def _missing(event_id: int) -> NotFound:
    return NotFound(f"there is no event {event_id}", hint="aimeter events list shows them.")


def _events() -> Any:
    return select(
        events.c.id, events.c.name, repo.REFERENCE, events.c.created_at, events.c.fanned_out_at,
        events.c.payload,
    ).select_from(
        events.outerjoin(repo.billables, repo.billables.c.id == events.c.billable_id)
    )  # fmt: skip


def _found(session: Session, query: Any) -> list[StoredEvent]:
    rows = session.connection().execute(query).all()
    of_event: dict[int, list[StoredDelivery]] = {}
    ids = [row.id for row in rows]
    made = select(deliveries).where(deliveries.c.event_id.in_(ids)).order_by(deliveries.c.sink)
    for row in session.connection().execute(made):
        due = row.not_before if row.status == "pending" else None
        of_event.setdefault(row.event_id, []).append(
            StoredDelivery(
                row.sink, row.status, row.attempts, due, row.delivered_at, row.last_error
            )
        )
    return [
        StoredEvent(
            row.id, row.name, row.billable, row.created_at, row.fanned_out_at,
            json.loads(row.payload), tuple(of_event.get(row.id, ())),
        )
        for row in rows
    ]  # fmt: skip
