"""``usage reprice``: what waits, priced in small transactions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.exc import DBAPIError

from aimeter_cli.db.engine import Database, is_deadlock
from aimeter_cli.domain.pricing import PriceBook
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.repositories import reprice as repo
from aimeter_cli.services.billables import billable_named
from aimeter_cli.services.repricing.adjustments import Adjustments, cost_of
from aimeter_cli.services.repricing.outcome import Repriced, Repricing, grouped
from aimeter_cli.settings.table import Settings
from aimeter_cli.signals import StopFlag

_BATCH = 500
_RACES = 5


@dataclass(frozen=True, slots=True)
class RepriceFilter:
    """Which waiting usages; None: any. ``state``: unpriced, needs_rate."""

    provider: str | None = None
    model: str | None = None
    billable: BillableRef | None = None
    state: str | None = None


def reprice_usages(
    database: Database,
    settings: Settings,
    prices: PriceBook,
    wanted: RepriceFilter = RepriceFilter(),
    *,
    now: datetime,
    limit: int | None = None,
    dry_run: bool = False,
    stop: StopFlag | None = None,
    advance: Callable[[int, int], object] = lambda _done, _total: None,
) -> Repricing:
    """Price what can be priced, the oldest first, at most ``limit`` usages, in small transactions.

    Those that cannot be priced do not count towards ``limit``. A dry run is one transaction, which
    is rolled back. ``advance`` is told how many more were looked at, of how many. Raises NotFound
    for an unknown billable.
    """
    with database.read() as session:
        billable = wanted.billable
        billable_id = None if billable is None else billable_named(session, billable).id
        ids = repo.waiting_ids(session, wanted.provider, wanted.model, billable_id, wanted.state)
    done: list[Repriced] = []
    stop = stop or StopFlag()
    with ExitStack() as stack:
        whole = stack.enter_context(database.write(dry_run=True)) if dry_run else None
        for first in range(0, len(ids), _BATCH):
            left = None if limit is None else limit - sum(each.is_priced for each in done)
            if left == 0 or stop.is_set():
                break
            chunk = ids[first : first + _BATCH]
            if whole is not None:
                adjustments = Adjustments(whole, settings, prices, now)
                done += adjustments.reprice(chunk, left)
            else:
                done += _in_transaction(database, settings, prices, chunk, left, now)
            advance(len(chunk), len(ids))
    return Repricing(dry_run, len(done), sum(each.is_priced for each in done), grouped(done))


def _in_transaction(
    database: Database,
    settings: Settings,
    prices: PriceBook,
    ids: Sequence[int],
    limit: int | None,
    now: datetime,
) -> list[Repriced]:
    """Nothing is locked for usages of which none has a price."""
    with database.read() as session:
        rows = repo.waiting(session, ids)
    if all(cost_of(row, prices) is None for row in rows):
        return [Repriced(row["provider"], row["model"], "unpriced") for row in rows]
    for last in (*[False] * (_RACES - 1), True):
        try:
            with database.write() as session:
                return Adjustments(session, settings, prices, now).reprice(ids, limit)
        except DBAPIError as error:
            if last or not (is_deadlock(error) or "idempotency_key" in str(error.orig)):
                raise
    raise AssertionError("unreachable: the last try returns or raises")
