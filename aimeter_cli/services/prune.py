"""Old usages replaced by daily sums, so that the database does not grow for ever.

What is not billed yet stays, and so does what the ledger of a wallet names: it is append-only, and
the audit follows it to the usage. Counters and overages keep their amounts.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.periods import iso
from aimeter_cli.errors import Interrupted, InvalidInput
from aimeter_cli.repositories import prune as repo
from aimeter_cli.repositories.prune import Limits, Position
from aimeter_cli.services.jobs import running
from aimeter_cli.settings.table import Settings
from aimeter_cli.signals import StopFlag

COMMAND = "usage prune"
LEAST = timedelta(days=1)
"""Recording relies on it: a usage younger than this is never looked for among pruned ones."""
_BATCHES_AHEAD = 20
_CLOCKS_DIFFER = timedelta(minutes=5)
_SHORTEST_BREATH, _LONGEST_BREATH = 0.005, 0.5


@dataclass(frozen=True, slots=True)
class Kept:
    """How many old usages stay for one reason."""

    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class PruneReport:
    """``pruned`` usages that occurred before ``before`` went, or will; ``daily_sums`` took their
    place (None: not known yet). ``before`` None: pruning is switched off."""

    dry_run: bool
    before: datetime | None
    pruned: int
    daily_sums: int | None
    kept: tuple[Kept, ...]


def horizon(settings: Settings, older_than: timedelta | None, *, now: datetime) -> datetime | None:
    """The midnight (UTC) before which usages are pruned; None: never, as the configuration says.

    ``older_than`` instead of ``prune_after_days``. Raises InvalidInput for a time within which
    usages may still come.
    """
    option = "--older-than" if older_than is not None else "prune_after_days"
    age = older_than if older_than is not None else timedelta(days=settings.prune_after_days)
    if older_than is None and not age:
        return None
    least = max(LEAST, timedelta(days=settings.late_usage_days))
    if age < least:
        raise InvalidInput(
            f"{option}: {age.days}d is too short: usage may come late by {least.days}d "
            "(late_usage_days), and then it must be known what was recorded",
            hint=f"Give at least {least.days}d.",
        )
    return (now - age).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def refuse_future(now: datetime) -> None:
    """Raises InvalidInput where ``--as-of`` pretends a time to come: what is pruned is gone by the
    real clock, and usage of that time would be refused for good."""
    if now > datetime.now(UTC) + _CLOCKS_DIFFER:
        raise InvalidInput(
            f"--as-of: {iso(now)} has not come yet: what is pruned is gone for good",
            hint="--dry-run shows what would go then.",
        )


def plan_prune(
    database: Database, settings: Settings, before: datetime | None, *, now: datetime
) -> PruneReport:
    """What a prune would do; changes nothing."""
    if before is None:
        return PruneReport(True, None, 0, 0, ())
    with database.read() as session:
        counts = repo.count_old(session, _limits(settings, before, now))
    kept = tuple(Kept(reason, counts[reason]) for reason in repo.REASONS if reason in counts)
    return PruneReport(True, before, counts.get(None, 0), None, kept)


def prune(
    database: Database,
    settings: Settings,
    planned: PruneReport,
    *,
    now: datetime,
    batch_size: int = 1000,
    stop: StopFlag | None = None,
    advance: Callable[[int], object] = lambda _: None,
) -> PruneReport:
    """Carry out what ``plan_prune`` told, as a job, a transaction for each batch.

    Killed at any moment it leaves whole batches; the next prune goes on. A signal ends it after the
    batch under way: the report then says how far it came.
    """
    stop = stop or StopFlag()
    pruned = sums = 0
    with running(database, COMMAND) as job:
        if planned.before is not None and planned.pruned:
            limits = _limits(settings, planned.before, now)
            for ids in _Batches(database, limits, batch_size):
                began = time.monotonic()
                with database.write() as session:
                    went, added = repo.prune_usages(session, limits, ids)
                pruned, sums = pruned + went, sums + added
                job.counts = {"pruned": pruned, "daily_sums": sums}
                advance(went)
                if _breathe(database, stop, time.monotonic() - began):
                    break
        if stop.signum is not None:
            job.ended_by(Interrupted(stop.signum))
    return PruneReport(False, planned.before, pruned, sums, planned.kept)


class _Batches:
    """Ids that may go, a batch at a time, read without a lock some batches ahead."""

    def __init__(self, database: Database, limits: Limits, size: int) -> None:
        self._database, self._limits, self._size = database, limits, size
        self._ahead: list[Position] = []
        self._last: Position | None = None
        self._is_over = False

    def __iter__(self) -> _Batches:
        return self

    def __next__(self) -> list[int]:
        if not self._ahead and not self._is_over:
            wanted = self._size * _BATCHES_AHEAD
            with self._database.read() as session:
                self._ahead = repo.next_old(session, self._limits, self._last, wanted)
            self._is_over = len(self._ahead) < wanted
            self._last = self._ahead[-1] if self._ahead else None
        if not self._ahead:
            raise StopIteration
        batch, self._ahead = self._ahead[: self._size], self._ahead[self._size :]
        return [position.id for position in batch]


def _limits(settings: Settings, before: datetime, now: datetime) -> Limits:
    return Limits(before, now - timedelta(days=settings.late_usage_days))


def _breathe(database: Database, stop: StopFlag, seconds: float) -> bool:
    """On SQLite, whose writers wait for one another, as long as the batch took. True: stop."""
    if not database.is_sqlite:
        return stop.is_set()
    return stop.wait(min(max(seconds, _SHORTEST_BREATH), _LONGEST_BREATH))
