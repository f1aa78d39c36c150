"""Events through their handlers: each in a transaction with its new status.

On SQLite many events share a transaction, each in its own savepoint; on PostgreSQL each has its
own, so that no run holds the rows of many subscriptions. Where events leave a doubt, Stripe is
asked between two transactions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from aimeter_cli.billing.directory import DirectoryDriver
from aimeter_cli.db.engine import Database, is_deadlock
from aimeter_cli.repositories.outbox import savepoint
from aimeter_cli.repositories.webhook_events import stored_states
from aimeter_cli.repositories.webhook_queue import StoredText, events_waiting_for
from aimeter_cli.settings.table import Settings
from aimeter_cli.webhooks.asking import Asked, MustAsk
from aimeter_cli.webhooks.dispatch import Dispatcher, settled_result
from aimeter_cli.webhooks.results import EventResult
from aimeter_cli.webhooks.storing import Arrival, Key, Rubbish, Standing, Stored, store

_Handled = tuple[list[EventResult | MustAsk], Sequence[StoredText]]
_Standings = Mapping[Key, Standing]


@dataclass(frozen=True, slots=True)
class Worked:
    """``results`` in the order of the events; ``waiting``: stored events of subscriptions that
    they have found, which waited for these and can be handled now."""

    results: Sequence[EventResult]
    waiting: Sequence[StoredText]


class Work:
    """Some events on their way through their handlers; those in doubt come last, when asked about.

    ``directory`` is asked; without it a fixed rule decides.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        *,
        now: datetime,
        force: bool = False,
        directory: DirectoryDriver | None = None,
    ) -> None:
        self._database, self._settings, self._now, self._force = database, settings, now, force
        self._asked = Asked(directory, now)
        self._results: dict[int, EventResult] = {}
        self._doubts: dict[int, str] = {}
        self._waiting: dict[int, StoredText] = {}

    def store_and_handle(self, arrived: Sequence[Arrival | Rubbish]) -> tuple[Stored, Worked]:
        """Both in one transaction, for SQLite. Whatever ends the second half: all is stored."""
        fault: BaseException | None = None
        with self._database.write() as session:
            stored = store(session, arrived, self._now)
            try:
                with savepoint(session):
                    handled = self._handle(session, stored.events, stored.standings)
            except BaseException as error:  # noqa: BLE001  # raised once it is committed
                fault = error
        if fault is not None:
            raise fault
        self._note(range(len(stored.events)), handled)
        return stored, self._finish(stored.events)

    def handle(self, arrivals: Sequence[Arrival]) -> Worked:
        """Handle events that are stored, in the order given."""
        self._go_through(range(len(arrivals)), arrivals)
        return self._finish(arrivals)

    def _finish(self, arrivals: Sequence[Arrival]) -> Worked:
        while self._doubts:
            self._asked.ask(self._doubts.values())
            places = list(self._doubts)
            self._doubts = {}
            self._go_through(places, arrivals)
        done = {each.event_id for each in self._results.values()}
        return Worked(
            [self._results[place] for place in range(len(arrivals))],
            [each for each in self._waiting.values() if each.event_id not in done],
        )

    def _go_through(self, places: Sequence[int], arrivals: Sequence[Arrival]) -> None:
        size = len(arrivals) if self._database.is_sqlite else 1
        for first in range(0, len(places), size):
            some = places[first : first + size]
            group = [arrivals[place] for place in some]

            def once(group: Sequence[Arrival] = group) -> _Handled:
                with self._database.write() as session:
                    return self._handle(session, group)

            self._note(some, _again_after_deadlock(once))

    def _handle(
        self, session: Session, group: Sequence[Arrival], standings: _Standings | None = None
    ) -> _Handled:
        dispatcher = Dispatcher(session, self._settings, self._now, self._asked)
        handled = handle(session, dispatcher, group, force=self._force, standings=standings)
        return handled, events_waiting_for(session, dispatcher.known)

    def _note(self, places: Sequence[int], done: _Handled) -> None:
        handled, waiting = done
        self._waiting |= {each.id: each for each in waiting}
        for place, result in zip(places, handled, strict=True):
            if isinstance(result, MustAsk):
                self._doubts[place] = result.subscription_id
            else:
                self._results[place] = result


def _again_after_deadlock(transaction: Callable[[], _Handled]) -> _Handled:
    try:
        return transaction()
    except DBAPIError as error:
        if not is_deadlock(error):
            raise
    return transaction()


def handle(
    session: Session,
    dispatcher: Dispatcher,
    arrivals: Sequence[Arrival],
    *,
    force: bool,
    standings: _Standings | None = None,
) -> list[EventResult | MustAsk]:
    """``standings``: as they were read in this transaction; else they are read, locked: another
    process may have been quicker."""
    if standings is None:
        ids = [arrival.event.id for arrival in arrivals]
        rows = stored_states(session, ids, lock=True)
        standings = {key: Standing.of(row) for key, row in rows.items()}
    current = dict(standings)
    results: list[EventResult | MustAsk] = []
    for arrival in arrivals:
        key = arrival.key
        result: EventResult | MustAsk | None
        result = settled_result(arrival, current[key], force=force)
        if result is None:
            try:
                result, current[key] = dispatcher.handle(arrival, current[key])
            except MustAsk as doubt:
                result = doubt
        results.append(result)
    dispatcher.end()
    return results
