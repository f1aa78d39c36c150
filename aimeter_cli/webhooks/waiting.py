"""Events that came before their subscription or customer was known here, and are handled then."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from aimeter_cli.billing.directory import DirectoryDriver
from aimeter_cli.db.engine import Database
from aimeter_cli.domain.stripe_events import in_true_order
from aimeter_cli.repositories.webhook_queue import StoredText, customers_of, events_waiting_for
from aimeter_cli.settings.table import Settings
from aimeter_cli.webhooks.reading import Incoming
from aimeter_cli.webhooks.results import EventResult
from aimeter_cli.webhooks.storing import Arrival, arrive
from aimeter_cli.webhooks.working import Work

SOURCE = "inbox"


def take_up(
    database: Database,
    settings: Settings,
    stripe_ids: Collection[str],
    *,
    now: datetime,
    directory: DirectoryDriver | None = None,
) -> list[EventResult]:
    """Handle the events that waited for these subscriptions, for the customers whose they are, or
    for these customers, in the order in which they happened.

    Call it after the commit that made the ids known. Nothing is written where nothing waits.
    """
    if not stripe_ids:
        return []
    with database.read() as session:
        found = events_waiting_for(session, {*stripe_ids, *customers_of(session, stripe_ids)})
    return handle_waiting(database, settings, found, now=now, directory=directory)


def handle_waiting(
    database: Database,
    settings: Settings,
    texts: Sequence[StoredText],
    *,
    now: datetime,
    directory: DirectoryDriver | None,
) -> list[EventResult]:
    if not texts:
        return []
    arrived = [arrive(Incoming(SOURCE, each.payload)) for each in texts]
    events = [each for each in arrived if isinstance(each, Arrival)]
    events.sort(key=lambda each: in_true_order(each.event))
    work = Work(database, settings, now=now, directory=directory)
    return list(work.handle(events).results)
