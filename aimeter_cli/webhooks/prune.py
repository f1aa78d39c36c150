"""``webhooks prune``: old payloads are emptied; ids, hashes and outcomes stay, so that no event is
ever handled twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from aimeter_cli.db.engine import Database
from aimeter_cli.errors import Interrupted
from aimeter_cli.repositories.webhook_queue import count_old, empty_old
from aimeter_cli.services.jobs import running
from aimeter_cli.signals import StopFlag

COMMAND = "webhooks-prune"
_BATCH = 1000


@dataclass(frozen=True, slots=True)
class PayloadPrune:
    """``pruned`` payloads that came before ``before`` went, or will."""

    dry_run: bool
    before: datetime
    pruned: int


def plan_prune(database: Database, before: datetime) -> PayloadPrune:
    """What a prune would do; changes nothing."""
    with database.read() as session:
        return PayloadPrune(True, before, count_old(session, before))


def prune(
    database: Database,
    before: datetime,
    *,
    stop: StopFlag,
    advance: Callable[[int], object] = lambda _: None,
) -> PayloadPrune:
    """Empty them, a batch in a transaction, as a job; a signal ends it after a batch.

    What waits to be handled, or for a subscription, stays.
    """
    pruned = 0
    with running(database, COMMAND) as job:
        while not stop.is_set():
            with database.write() as session:
                went = empty_old(session, before, _BATCH)
            pruned += went
            job.counts = {"pruned": pruned}
            advance(went)
            if went < _BATCH:
                break
        if stop.signum is not None:
            job.ended_by(Interrupted(stop.signum))
    return PayloadPrune(False, before, pruned)
