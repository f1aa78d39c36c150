"""Stripe's events in the inbox: stored once, found by id or by the object they are about."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, or_, select, update
from sqlmodel import Session, col
from sqlmodel import select as select_model

from aimeter_cli.db.prepared import Prepared
from aimeter_cli.db.upsert import insert_into
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.webhook_events import WebhookEvent

_events = table_of(WebhookEvent)
_c = _events.c

OF_BOTH_MODES = _c.livemode.in_((False, True))
"""Beside a condition on the event id, which alone has no index."""
WAITING = "waiting"
HANDLED = ("processed", "stale", "ignored")
"""Whose content has been seen: an event that waits or failed will still be handled itself."""


class EventState(NamedTuple):
    """Where a stored event stands, without its payload."""

    id: int
    event_id: str
    livemode: bool
    digest: str
    status: str
    error: str | None
    attempts: int


class PastEvent(NamedTuple):
    """A handled event about some object."""

    event_id: str
    type: str
    created: datetime
    status: str
    attempt_count: int | None
    payload: str


class EventOutcome(NamedTuple):
    """How handling of the event in ``row_id``, about ``object_id``, ended."""

    row_id: int
    object_id: str | None
    status: str
    error: str | None
    attempts: int
    waits_for: str | None


# Built once: building a statement costs more than running it.
_HISTORY = (
    select(*[_c[name] for name in PastEvent._fields])
    .where(
        _c.object_id == bindparam("object"),
        _c.livemode == bindparam("mode"),
        or_(*(_c.status == status for status in HANDLED)),
    )
    .order_by(_c.created.desc(), _c.id.desc())
)
_ALL_HISTORY = Prepared(_HISTORY)
_HISTORY_SINCE = Prepared(_HISTORY.where(_c.created >= bindparam("since")))
_STORED = ("event_id", "livemode", "type", "object_id", "created", "payload", "digest", "status",
           "error", "attempts", "attempt_count", "received_at")  # fmt: skip
_OUTCOME = ("status", "error", "attempts", "waits_for", "handled_at")
_SET_OUTCOME = Prepared(
    update(_events)
    .where(_c.id == bindparam("row_id"))
    .values({name: bindparam(f"new_{name}", type_=_c[name].type) for name in _OUTCOME})
)


@cache
def _adding(dialect: str) -> Prepared:
    values = {name: bindparam(name, type_=_c[name].type) for name in _STORED}
    return Prepared(insert_into(dialect, _events).values(values).on_conflict_do_nothing())


def store_events(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert what is not there yet, by (livemode, event_id); safe with any number of writers.

    Every row has the columns of ``_STORED``.
    """
    if not rows:
        return
    # In one order everywhere, so that two writers cannot wait for each other.
    ordered = sorted(rows, key=lambda row: (row["livemode"], row["event_id"]))
    connection = session.connection()
    _adding(connection.dialect.name).run(connection, ordered)


def stored_states(
    session: Session, event_ids: Collection[str], *, lock: bool = False
) -> dict[tuple[bool, str], EventState]:
    """Where these events stand, by (livemode, event_id)."""
    columns = [_c[name] for name in EventState._fields]
    found = select(*columns).where(OF_BOTH_MODES, _c.event_id.in_(event_ids))
    statement = found.order_by(_c.id)
    if lock:
        statement = statement.with_for_update(key_share=True)
    states = [EventState(*row) for row in session.connection().execute(statement)]
    return {(state.livemode, state.event_id): state for state in states}


def stored_payload(session: Session, row_id: int) -> str:
    return str(session.connection().execute(select(_c.payload).where(_c.id == row_id)).scalar_one())


def set_outcome(
    session: Session, row_id: int, *, status: str, error: str | None, attempts: int, now: datetime,
    waits_for: str | None = None,
) -> None:  # fmt: skip
    """How handling ended, written with its effect."""
    outcome = EventOutcome(row_id, None, status, error, attempts, waits_for)
    set_outcomes(session.connection(), [outcome], now)


def set_outcomes(connection: Connection, outcomes: Sequence[EventOutcome], now: datetime) -> None:
    """How handling of these ended; where one event comes twice, the later outcome holds."""
    if outcomes:
        _SET_OUTCOME.run(
            connection,
            [
                {"row_id": each.row_id, "new_status": each.status, "new_error": each.error,
                 "new_attempts": each.attempts, "new_waits_for": each.waits_for,
                 "new_handled_at": now}
                for each in outcomes
            ],
        )  # fmt: skip


def history_of(
    session: Session | Connection, object_id: str, *, livemode: bool, since: datetime | None = None
) -> list[PastEvent]:
    """The handled events about one Stripe object, newest first."""
    values: dict[str, Any] = {"object": object_id, "mode": livemode}
    if since is None:
        found = _ALL_HISTORY.rows(session, **values)
    else:
        found = _HISTORY_SINCE.rows(session, **values, since=since)
    return [PastEvent(**row) for row in found]


def list_events(
    session: Session,
    *,
    status: str | None = None,
    event_type: str | None = None,
    limit: int | None = None,
) -> list[WebhookEvent]:
    """Events of the inbox, newest first; of status ``waiting`` those that wait for a subscription
    or a customer."""
    statement = select_model(WebhookEvent).order_by(
        col(WebhookEvent.created).desc(), col(WebhookEvent.id).desc()
    )
    if status == WAITING:
        waits, payload = col(WebhookEvent.waits_for), WebhookEvent.payload
        statement = statement.where(waits.is_not(None), payload != "")
    elif status is not None:
        statement = statement.where(WebhookEvent.status == status)
    if event_type is not None:
        statement = statement.where(WebhookEvent.type == event_type)
    return list(session.exec(statement.limit(limit) if limit is not None else statement))


def find_event(session: Session, event_id: str) -> WebhookEvent | None:
    """The event of that id, the live one where both modes have one."""
    statement = (
        select_model(WebhookEvent)
        .where(OF_BOTH_MODES, WebhookEvent.event_id == event_id)
        .order_by(col(WebhookEvent.livemode).desc())
        .limit(1)
    )
    return session.exec(statement).first()
