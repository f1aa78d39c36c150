"""Domain events, written in the transaction that made them true.

They are remembered on the session, too: after the commit, and only then, listeners are told.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, select
from sqlmodel import Session

from aimeter_cli.db.engine import EMITTED
from aimeter_cli.db.prepared import Prepared, execute
from aimeter_cli.domain.events import Emitted, EventName
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.domain_events import DomainEvent

_events, _billables = table_of(DomainEvent), table_of(Billable)
_COLUMNS = ("name", "billable_id", "payload", "created_at")
_ADD = Prepared(
    insert(_events).values({name: bindparam(name, type_=_events.c[name].type) for name in _COLUMNS})
)


def emit(
    session: Session,
    name: EventName,
    *,
    billable_id: int | None,
    now: datetime,
    payload: Mapping[str, Any],
) -> None:
    """Append to the outbox; ``payload`` must be JSON: keys are the fields of the event's type."""
    emitted = Emitted(name, billable_id, now, payload)
    store(session, [emitted])
    remember(session, [emitted])


def store(session: Session, events: Sequence[Emitted]) -> None:
    """Append to the outbox."""
    if not events:
        return
    _ADD.run(
        session,
        [
            {
                "name": event.name.value,
                "billable_id": event.billable_id,
                "payload": json.dumps(event.payload, sort_keys=True),
                "created_at": event.at,
            }
            for event in events
        ],
    )


def remember(session: Session, events: Sequence[Emitted]) -> None:
    """Have listeners told after the commit."""
    session.info.setdefault(EMITTED, []).extend(events)


@contextmanager
def savepoint(session: Session) -> Iterator[None]:
    """A savepoint; if it is rolled back, what was emitted in it never happened."""
    emitted = session.info.setdefault(EMITTED, [])
    before, connection = len(emitted), session.connection()
    execute(connection, "SAVEPOINT aimeter", ())
    try:
        yield
    except BaseException:
        del emitted[before:]
        execute(connection, "ROLLBACK TO SAVEPOINT aimeter", ())
        raise
    finally:
        execute(connection, "RELEASE SAVEPOINT aimeter", ())


def references(session: Session, billable_ids: Sequence[int]) -> dict[int | None, str]:
    """TYPE:ID of each."""
    query = select(_billables.c.id, _billables.c.type, _billables.c.external_id).where(
        _billables.c.id.in_(billable_ids)
    )
    return {
        row.id: str(BillableRef(row.type, row.external_id))
        for row in session.connection().execute(query)
    }
