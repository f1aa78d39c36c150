"""Stored events through their handlers: each in a transaction with its new status.

On SQLite many events share a transaction, each in its own savepoint; on PostgreSQL each has its
own, so that no run holds the rows of many subscriptions. Where events leave a doubt, Stripe is
asked between two transactions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from aimeter_cli.billing.directory import DirectoryDriver
from aimeter_cli.db.engine import Database, is_deadlock
from aimeter_cli.repositories.webhook_events import stored_states
from aimeter_cli.repositories.webhook_queue import StoredText, events_waiting_for
from aimeter_cli.settings.table import Settings
from aimeter_cli.webhooks.asking import Asked, MustAsk
from aimeter_cli.webhooks.dispatch import Dispatcher, settled_result
from aimeter_cli.webhooks.results import EventResult
from aimeter_cli.webhooks.storing import Arrival, Standing

_Handled = tuple[list[EventResult | MustAsk], Sequence[StoredText]]


@dataclass(frozen=True, slots=True)
class Worked:
    """``results`` in the order of the events; ``waiting``: stored events of subscriptions that
    they have found, which waited for these and can be handled now."""

    results: Sequence[EventResult]
    waiting: Sequence[StoredText]


def work_off(
    database: Database,
    settings: Settings,
    arrivals: Sequence[Arrival],
    *,
    now: datetime,
    force: bool = False,
    directory: DirectoryDriver | None = None,
) -> Worked:
    """Handle events that are stored, in the order given; those in doubt last, when asked about."""
    asked = Asked(directory, now)
    results: dict[int, EventResult] = {}
    waiting: dict[int, StoredText] = {}
    size = len(arrivals) if database.is_sqlite else 1
    rest = list(range(len(arrivals)))
    while rest:
        doubts: dict[int, str] = {}
        for first in range(0, len(rest), size):
            places = rest[first : first + size]
            group = [arrivals[place] for place in places]

            def once(group: Sequence[Arrival] = group) -> _Handled:
                with database.write() as session:
                    dispatcher = Dispatcher(session, settings, now, asked)
                    handled = handle(session, dispatcher, group, force=force)
                    return handled, events_waiting_for(session, dispatcher.known)

            handled, found = _again_after_deadlock(once)
            waiting |= {each.id: each for each in found}
            for place, result in zip(places, handled, strict=True):
                if isinstance(result, MustAsk):
                    doubts[place] = result.subscription_id
                else:
                    results[place] = result
        asked.ask(doubts.values())
        rest = list(doubts)
    done = {each.event_id for each in results.values()}
    return Worked(
        [results[place] for place in range(len(arrivals))],
        [each for each in waiting.values() if each.event_id not in done],
    )


def _again_after_deadlock(transaction: Callable[[], _Handled]) -> _Handled:
    try:
        return transaction()
    except DBAPIError as error:
        if not is_deadlock(error):
            raise
    return transaction()


def handle(
    session: Session, dispatcher: Dispatcher, arrivals: Sequence[Arrival], *, force: bool
) -> list[EventResult | MustAsk]:
    """Where they stand is read again, locked: another process may have been quicker."""
    rows = stored_states(session, [arrival.event.id for arrival in arrivals], lock=True)
    standings = {key: Standing.of(row) for key, row in rows.items()}
    results: list[EventResult | MustAsk] = []
    for arrival in arrivals:
        result: EventResult | MustAsk | None
        result = settled_result(arrival, standings[arrival.key], force=force)
        if result is None:
            try:
                result, after = dispatcher.handle(arrival, standings[arrival.key])
            except MustAsk as doubt:
                result = doubt
            else:
                standings[arrival.key] = after
        results.append(result)
    return results
