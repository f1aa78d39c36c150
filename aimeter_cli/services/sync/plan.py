"""What a run will do: items to go on with, and the oldest overages, at most so many."""

from __future__ import annotations

import math
from dataclasses import dataclass

from aimeter_cli.db.clock import database_now
from aimeter_cli.repositories import sendable
from aimeter_cli.repositories.sendable import ItemKey, WaitingItem
from aimeter_cli.services.sync.claimed import Context


@dataclass(frozen=True, slots=True)
class Options:
    """``limit``: overages at the most; ``max_seconds``: nothing new is begun after that.

    ``closing``: a run for one billable, too, closes items whose invoice is finalised.
    """

    limit: int = 100
    billable_id: int | None = None
    dry_run: bool = False
    retry_now: bool = False
    max_seconds: float | None = None
    closing: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """One item's work: fresh overages of a key, or an item to go on with."""

    billable_id: int
    key: ItemKey | None = None
    overage_ids: tuple[int, ...] = ()
    due: WaitingItem | None = None
    dirty: WaitingItem | None = None

    @property
    def size(self) -> int:
        return self.due.overages if self.due is not None else len(self.overage_ids)


def plan_jobs(context: Context, options: Options) -> list[Job]:
    """At most ``limit`` overages. Half of them, if need be, are kept for new ones, so that rows
    which cannot be settled hold up nobody."""
    with context.database.read() as session:
        clock = database_now(session)
        waiting = sendable.due_items(
            session, clock, retry_now=options.retry_now, billable_id=options.billable_id
        )
        fresh = sendable.oldest_sendable(session, options.limit, options.billable_id)
        dirty = sendable.dirty_items(session, options.billable_id)
    new = sum(map(len, fresh.values()))
    room = options.limit - min(new, math.ceil(options.limit / 2))
    jobs: list[Job] = []
    for item in waiting:
        if item.overages > room and jobs:
            break
        room -= item.overages
        jobs.append(Job(item.billable_id, due=item))
    jobs += [Job(item.billable_id, dirty=item) for item in dirty]
    used = sum(job.size for job in jobs)
    left = max(options.limit - used, min(new, math.ceil(options.limit / 2)))
    for key, ids in fresh.items():
        taken = tuple(ids[: max(left, 0)])
        left -= len(taken)
        if taken:
            jobs.append(Job(key.billable_id, key, taken))
    return jobs
