"""The inbox: the one way in for Stripe's events, whichever door they come through.

An event is stored first, then handled together with its new status (:mod:`.working`), so that a
process that dies leaves nothing half done: on SQLite both are one transaction, of which nothing
remains; elsewhere what was stored waits as ``received`` for the next replay. Either way nobody has
been told that it was taken. ``serve`` tells so as soon as it is stored, and handles it afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from aimeter_cli.billing.directory import DirectoryDriver
from aimeter_cli.db.engine import Database
from aimeter_cli.settings.table import Settings
from aimeter_cli.webhooks.asking import Asked, MustAsk
from aimeter_cli.webhooks.dispatch import Dispatcher, settled_result
from aimeter_cli.webhooks.reading import incoming
from aimeter_cli.webhooks.results import EventResult
from aimeter_cli.webhooks.storing import Arrival, Rubbish, arrive, store
from aimeter_cli.webhooks.waiting import handle_waiting
from aimeter_cli.webhooks.working import Work, handle


def receive(
    database: Database,
    settings: Settings,
    raw: bytes | str,
    *,
    now: datetime,
    source: str,
    dry_run: bool = False,
    force: bool = False,
    directory: DirectoryDriver | None = None,
) -> EventResult:
    """Store one event and handle it, if it has not been; returns what became of it.

    ``dry_run`` stores nothing and tells what would change; ``force`` handles it once more;
    ``directory`` as in :func:`take_in`.
    """
    arrived = [arrive(incoming(raw, source))]
    if dry_run:
        return rehearse(database, settings, [arrived], now=now, force=force)[0]
    taken = take_in(database, settings, arrived, now=now, force=force, directory=directory)
    return taken[0]


def take_in(
    database: Database,
    settings: Settings,
    arrived: Sequence[Arrival | Rubbish],
    *,
    now: datetime,
    force: bool = False,
    directory: DirectoryDriver | None = None,
) -> list[EventResult]:
    """Store some events, then handle them in the order given.

    Returns a result for each, in their order; after these, those of earlier events that waited for
    a subscription which these have found. ``directory`` is asked where the order of events is not
    certain or one is missing, outside of transactions; without it a fixed rule decides.
    """
    work = Work(database, settings, now=now, force=force, directory=directory)
    if database.is_sqlite:
        stored, worked = work.store_and_handle(arrived)
    else:
        with database.write() as session:
            stored = store(session, arrived, now)
        known = [settled_result(a, stored.standings[a.key], force=force) for a in stored.events]
        if all(known):
            return stored.in_order([each for each in known if each is not None])
        worked = work.handle(stored.events)
    late = handle_waiting(database, settings, worked.waiting, now=now, directory=directory)
    return stored.in_order(worked.results) + late


def rehearse(
    database: Database,
    settings: Settings,
    chunks: Iterable[Sequence[Arrival | Rubbish]],
    *,
    now: datetime,
    force: bool = False,
) -> list[EventResult]:
    """All of it in one transaction that is rolled back: what would change, event by event.

    Later events see what earlier ones did; other writers of an SQLite file wait meanwhile. Stripe
    is not asked.
    """
    results: list[EventResult] = []
    everything = list(chunks)  # read before others have to wait
    with database.write(dry_run=True) as session:
        for arrived in everything:
            stored = store(session, arrived, now)
            dispatcher = Dispatcher(session, settings, now, Asked(None, now))
            handled = handle(
                session, dispatcher, stored.events, force=force, standings=stored.standings
            )
            results += stored.in_order([r for r in handled if not isinstance(r, MustAsk)])
    return results
