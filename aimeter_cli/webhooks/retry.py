"""``webhooks retry``: stored events through the inbox once more."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import chain

from aimeter_cli.db.engine import Database
from aimeter_cli.errors import Conflict, NotFound
from aimeter_cli.repositories.webhook_queue import StoredText, events_by_id, events_by_status
from aimeter_cli.webhooks.intake import CHUNK, Intake, Taken
from aimeter_cli.webhooks.reading import Incoming
from aimeter_cli.webhooks.storing import Arrival, Rubbish, arrive

UNDONE = ("received", "failed")
SOURCE = "inbox"


def retry(
    database: Database,
    intake: Intake,
    *,
    event_ids: Collection[str] = (),
    statuses: Collection[str] = UNDONE,
    dry_run: bool = False,
) -> Iterator[Taken]:
    """Handle the events of these ids, or without ids those of these statuses, each once.

    Raises NotFound, before anything is done, for an id that is not stored; Conflict for an event
    whose payload has been pruned.
    """
    if event_ids:
        chunks: Iterator[Sequence[Arrival | Rubbish]] = iter([_named(database, event_ids)])
    else:
        chunks = _of(database, statuses)
    if dry_run:
        return iter([Taken(intake.rehearse(list(chunks)))])
    taken = (intake.take(chunk) for chunk in chunks)
    return taken if event_ids else chain(taken, _known(intake))


def _known(intake: Intake) -> Iterator[Taken]:
    yield intake.take_up_known()


def arrivals(texts: Sequence[StoredText]) -> list[Arrival | Rubbish]:
    return [arrive(Incoming(SOURCE, each.payload)) for each in texts]


def _named(database: Database, event_ids: Collection[str]) -> list[Arrival | Rubbish]:
    with database.read() as session:
        found = events_by_id(session, event_ids)
    missing = set(event_ids) - {each.event_id for each in found}
    if missing:
        raise NotFound(
            f"there is no webhook event {min(missing)}", hint="aimeter webhooks list shows them."
        )
    for each in found:
        if not each.payload:
            raise Conflict(
                f"the payload of {each.event_id} has been pruned: it cannot be handled again",
                hint="aimeter webhooks pull fetches events of the last 30 days from Stripe.",
            )
    return arrivals(found)


def _of(database: Database, statuses: Collection[str]) -> Iterator[Sequence[Arrival | Rubbish]]:
    last = 0
    while True:
        with database.read() as session:
            found = events_by_status(session, statuses, after=last, limit=CHUNK)
        if not found:
            return
        last = found[-1].id
        yield arrivals(found)
