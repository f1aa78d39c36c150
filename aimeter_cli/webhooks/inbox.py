"""The inbox: the one way in for Stripe's events, whichever door they come through.

An event is stored in a transaction of its own and then handled in another one, together with its
new status, so that a process that dies leaves nothing half done: what was stored waits as
``received`` for the next replay. On SQLite many events share a transaction, each in its own
savepoint; on PostgreSQL each has its own, so that no run holds the rows of many subscriptions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlmodel import Session

from aimeter_cli.db.engine import Database
from aimeter_cli.repositories.webhook_events import stored_states
from aimeter_cli.settings.table import Settings
from aimeter_cli.webhooks.dispatch import Dispatcher, settled_result
from aimeter_cli.webhooks.reading import incoming
from aimeter_cli.webhooks.results import EventResult
from aimeter_cli.webhooks.storing import Arrival, Rubbish, Standing, arrive, store


def receive(
    database: Database,
    settings: Settings,
    raw: bytes | str,
    *,
    now: datetime,
    source: str,
    dry_run: bool = False,
    force: bool = False,
) -> EventResult:
    """Store one event and handle it, if it has not been; returns what became of it.

    ``dry_run`` stores nothing and tells what would change; ``force`` handles it once more.
    """
    arrived = [arrive(incoming(raw, source))]
    if dry_run:
        return rehearse(database, settings, [arrived], now=now, force=force)[0]
    return take_in(database, settings, arrived, now=now, force=force)[0]


def take_in(
    database: Database,
    settings: Settings,
    arrived: Sequence[Arrival | Rubbish],
    *,
    now: datetime,
    force: bool = False,
) -> list[EventResult]:
    """Store some events, then handle them in the order given."""
    with database.write() as session:
        stored = store(session, arrived, now)
    known = [settled_result(a, stored.standings[a.key], force=force) for a in stored.events]
    if all(known):
        return stored.in_order([each for each in known if each is not None])
    results: list[EventResult] = []
    size = len(stored.events) if database.is_sqlite else 1
    for first in range(0, len(stored.events), size):
        with database.write() as session:
            group = stored.events[first : first + size]
            results += _handle(session, settings, group, now=now, force=force)
    return stored.in_order(results)


def rehearse(
    database: Database,
    settings: Settings,
    chunks: Iterable[Sequence[Arrival | Rubbish]],
    *,
    now: datetime,
    force: bool = False,
) -> list[EventResult]:
    """All of it in one transaction that is rolled back: what would change, event by event.

    Later events see what earlier ones did; other writers of an SQLite file wait meanwhile.
    """
    results: list[EventResult] = []
    with database.write(dry_run=True) as session:
        for arrived in chunks:
            stored = store(session, arrived, now)
            handled = _handle(session, settings, stored.events, now=now, force=force)
            results += stored.in_order(handled)
    return results


def _handle(
    session: Session,
    settings: Settings,
    arrivals: Sequence[Arrival],
    *,
    now: datetime,
    force: bool,
) -> list[EventResult]:
    """Where they stand is read again, locked: another process may have been quicker."""
    dispatcher = Dispatcher(session, settings, now)
    rows = stored_states(session, [arrival.event.id for arrival in arrivals], lock=True)
    standings = {key: Standing.of(row) for key, row in rows.items()}
    results: list[EventResult] = []
    for arrival in arrivals:
        result = settled_result(arrival, standings[arrival.key], force=force)
        if result is None:
            result, after = dispatcher.handle(arrival, standings[arrival.key])
            standings[arrival.key] = after
        results.append(result)
    return results
