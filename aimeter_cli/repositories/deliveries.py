"""Domain events on their way to sinks: handed out, claimed under a lease, settled."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Select, delete, func, insert, literal_column, or_, select, text, update
from sqlmodel import Session

from aimeter_cli.db.clock import database_now
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.domain_events import DomainEvent, EventDelivery

events, deliveries = table_of(DomainEvent), table_of(EventDelivery)
billables = table_of(Billable)

# Literal, so that both databases can match them to the partial indexes.
NEW = text("ai_domain_events.fanned_out_at IS NULL")
PENDING = text("ai_event_deliveries.status = 'pending'")
_RELEASED = {"lease_token": None, "lease_expires_at": None}
REFERENCE = (billables.c.type + literal_column("':'") + billables.c.external_id).label("billable")


class Due(NamedTuple):
    """A delivery with its event. ``payload`` is JSON, ``attempts`` those before."""

    id: int
    event_id: int
    sink: str
    attempts: int
    name: str
    billable: str | None
    created_at: datetime
    payload: str


class Backlog(NamedTuple):
    """``new`` events have not been handed out, ``pending`` deliveries wait, ``failed`` ones were
    given up; the oldest event that is new or pending is of ``oldest_at``."""

    new: int
    pending: int
    failed: int
    oldest_at: datetime | None


def backlog(session: Session, sinks: Collection[str] | None = None) -> Backlog:
    """What is on its way to these sinks, or to any."""
    connection = session.connection()
    first = select(func.count(), func.min(events.c.created_at))
    pending = first.select_from(events.join(deliveries)).where(PENDING)
    given_up = select(func.count()).where(text("status = 'failed'")).select_from(deliveries)
    if sinks is not None:
        pending = pending.where(deliveries.c.sink.in_(sinks))
    new_count, new_oldest = connection.execute(first.where(NEW)).one()
    count, oldest = connection.execute(pending).one()
    failed = connection.execute(given_up).scalar_one()
    return Backlog(new_count, count, failed, min(filter(None, (new_oldest, oldest)), default=None))


def fan_out(
    session: Session,
    wanted: Callable[[str, str], Sequence[str]],
    *,
    since: datetime | None,
    most: int,
) -> int:
    """Write a delivery for every sink that wants an event, of the oldest new ones; their count.

    ``wanted``: the sinks' names by the event's name and payload. Those of before ``since`` are
    marked only.
    """
    connection = session.connection()
    columns = (events.c.id, events.c.name, events.c.created_at, events.c.payload)
    new = select(*columns).where(NEW)
    locked = new.order_by(events.c.id).limit(most).with_for_update(skip_locked=True)
    rows = connection.execute(locked).all()
    if not rows:
        return 0
    now = database_now(session)
    made = [
        {"event_id": row.id, "sink": sink, "status": "pending", "attempts": 0, "not_before": now}
        for row in rows
        if since is None or row.created_at >= since
        for sink in wanted(row.name, row.payload)
    ]
    if made:
        connection.execute(insert(deliveries), made)
    ids = [row.id for row in rows]
    connection.execute(update(events).where(events.c.id.in_(ids)).values(fanned_out_at=now))
    return len(rows)


def claim(session: Session, sink: str, *, token: str, lease: timedelta, most: int) -> Sequence[Due]:
    """Lease the oldest deliveries of a sink that are due; no two processes get the same."""
    connection, now = session.connection(), database_now(session)
    locked = _due([sink], now, most).with_for_update(skip_locked=True, of=deliveries)
    found = [Due(*row) for row in connection.execute(locked)]
    if found:
        connection.execute(
            update(deliveries)
            .where(deliveries.c.id.in_([due.id for due in found]))
            .values(lease_token=token, lease_expires_at=now + lease)
        )
    return found


def due(session: Session, sinks: Collection[str], most: int) -> Sequence[Due]:
    """What :func:`claim` would find, of several sinks."""
    query = _due(sinks, database_now(session), most)
    return [Due(*row) for row in session.connection().execute(query)]


def count_due(session: Session, sinks: Collection[str]) -> int:
    query = _due(sinks, database_now(session), None).order_by(None).subquery()
    count = session.connection().execute(select(func.count()).select_from(query))
    return int(count.scalar_one())


def _due(sinks: Collection[str], now: datetime, most: int | None) -> Select[Any]:
    d = deliveries.c
    return (
        select(
            d.id, d.event_id, d.sink, d.attempts, events.c.name, REFERENCE, events.c.created_at,
            events.c.payload,
        )
        .select_from(
            deliveries.join(events, events.c.id == d.event_id).outerjoin(
                billables, billables.c.id == events.c.billable_id
            )
        )
        .where(
            PENDING, d.sink.in_(sinks), d.not_before <= now,
            or_(d.lease_expires_at.is_(None), d.lease_expires_at <= now),
        )
        .order_by(d.not_before, d.id)
        .limit(most)
    )  # fmt: skip


def settle_delivered(session: Session, due: Due, token: str) -> bool:
    """Whether the lease was still ours."""
    now = database_now(session)
    return _settle(session, due, token, status="delivered", delivered_at=now, last_error=None)


def settle_failed(
    session: Session, due: Due, token: str, error: str, wait: timedelta | None
) -> datetime | None:
    """Try again after ``wait``, never if None; when that is."""
    if wait is None:
        _settle(session, due, token, status="failed", last_error=error)
        return None
    then = database_now(session) + wait
    _settle(session, due, token, not_before=then, last_error=error)
    return then


def release(session: Session, claimed: Sequence[Due], token: str) -> None:
    """Give deliveries back untried."""
    for due in claimed:
        _set(session, due, token, **_RELEASED)


def _settle(session: Session, due: Due, token: str, **values: Any) -> bool:
    return _set(session, due, token, attempts=due.attempts + 1, **_RELEASED, **values)


def _set(session: Session, due: Due, token: str, **values: Any) -> bool:
    ours = deliveries.c.id == due.id, deliveries.c.lease_token == token
    done = session.connection().execute(update(deliveries).where(*ours).values(values))
    return bool(done.rowcount)


def retry(session: Session, event_ids: Collection[int] | None) -> list[int]:
    """Make what is not delivered due at once, of these events, or all that has failed.

    Ids of the events; not those that somebody is at work on.
    """
    now = database_now(session)
    if event_ids is None:
        which = deliveries.c.status == "failed"
    else:
        which = deliveries.c.event_id.in_(event_ids) & (deliveries.c.status != "delivered")
    free = or_(deliveries.c.lease_expires_at.is_(None), deliveries.c.lease_expires_at <= now)
    changed = session.connection().execute(
        update(deliveries)
        .where(which, free)
        .values(status="pending", attempts=0, not_before=now, **_RELEASED)
        .returning(deliveries.c.event_id)
    )
    return sorted({row.event_id for row in changed})


def prune(
    session: Session, before: datetime, *, new_too: bool, after: int, most: int
) -> tuple[int, int | None]:
    """Delete the oldest events of before a time that have no delivery left to make or to look at.

    Those with an id above ``after``. How many, and the last id; None if there is no other.
    """
    connection = session.connection()
    left = select(deliveries.c.id).where(
        deliveries.c.event_id == events.c.id, deliveries.c.status != "delivered"
    )
    old = select(events.c.id).where(
        events.c.id > after, events.c.created_at < before, ~left.exists()
    )
    if not new_too:
        old = old.where(events.c.fanned_out_at.is_not(None))
    locked = old.order_by(events.c.id).limit(most).with_for_update(skip_locked=True)
    ids = list(connection.execute(locked).scalars())
    if not ids:
        return 0, None
    connection.execute(delete(deliveries).where(deliveries.c.event_id.in_(ids)))
    connection.execute(delete(events).where(events.c.id.in_(ids)))
    return len(ids), ids[-1]


def forget_undelivered(session: Session) -> None:
    """What is not delivered is of no interest to the sinks of this installation."""
    connection, now = session.connection(), database_now(session)
    connection.execute(delete(deliveries).where(deliveries.c.status != "delivered"))
    connection.execute(update(events).where(NEW).values(fanned_out_at=now))
