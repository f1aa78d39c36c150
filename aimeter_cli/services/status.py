"""Whether the jobs run, and what is not on an invoice yet. Nothing is asked of Stripe."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select, text
from sqlmodel import Session

from aimeter_cli.db.clock import database_now
from aimeter_cli.db.engine import Database
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.final_invoices import FinalInvoice
from aimeter_cli.models.installation import Installation
from aimeter_cli.models.items import InvoiceItem, SyncAttempt
from aimeter_cli.repositories import overages as repo
from aimeter_cli.repositories.inbox_state import unhandled
from aimeter_cli.repositories.installation import installation
from aimeter_cli.services.jobs import SYNC, commands, last_run
from aimeter_cli.services.overages.stranded import Stranded, stranded_items
from aimeter_cli.services.sync.blocked import Blocked, blocked
from aimeter_cli.settings.table import Settings


@dataclass(frozen=True, slots=True)
class JobStatus:
    """The run of a command that began last. ``finished_at`` None: it runs, or was killed.

    ``last_success_at``: when the last run that did its work (exit 0 or 3) ended, ``age_seconds``
    ago; ``is_overdue`` only of the sync, and where it was asked for.
    """

    command: str
    run_id: str | None
    host: str | None
    started_at: datetime | None
    finished_at: datetime | None
    exit_code: int | None
    last_success_at: datetime | None
    age_seconds: int | None
    is_overdue: bool | None
    error: str | None
    counts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Unsynced:
    """What is on no invoice yet in one of the plans' currencies; the oldest began ``oldest_at``."""

    currency: str
    count: int
    amount: Decimal
    oldest_at: datetime


@dataclass(frozen=True, slots=True)
class Status:
    """Counts are of overages, but for these. ``backing_off``: requests to Stripe that wait for
    their next try; ``unanswered_since``: when the oldest of them was first sent.
    ``webhooks_due``: stored events without an effect yet, or whose handling failed.
    ``overages``: what is on no invoice yet, by status. ``problems``: why ``is_ok`` is not so."""

    problems: list[str]
    is_paused: bool
    paused_at: datetime | None
    paused_reason: str | None
    failed: int
    held: int
    unknown: int
    stranded: int
    backing_off: int
    next_retry_at: datetime | None
    unanswered_since: datetime | None
    webhooks_due: int
    jobs: list[JobStatus]
    overages: Sequence[repo.Unsynced]
    stranded_reasons: Sequence[Stranded]
    unsynced: list[Unsynced]
    blocked_reasons: list[Blocked]

    @property
    def is_ok(self) -> bool:
        return not self.problems

    @property
    def blocked(self) -> int:
        return sum(each.count for each in self.blocked_reasons)


def status(
    database: Database, settings: Settings, *, now: datetime, max_age: timedelta | None = None
) -> Status:
    """As :func:`status_of` tells it, in a transaction of its own."""
    with database.read() as session:
        return status_of(session, settings, now=now, max_age=max_age)


def status_of(
    session: Session, settings: Settings, *, now: datetime, max_age: timedelta | None = None
) -> Status:
    """Not ok: a paused sync, and, where ``max_age`` is given, one whose last success is older, or
    a request to Stripe that has had no clear answer for longer.

    ``now`` is business time; ages of runs are by the database's clock.
    """
    here = installation(session)
    names = dict.fromkeys((SYNC, *commands(session)))
    jobs = [job_status(session, name, max_age) for name in names]
    waiting = repo.unsynced(session)
    stranded = stranded_items(session, settings, now)
    items = [item for each in stranded for item in each.items]
    retries = _retries(session)
    age = database_now(session) - retries.since if retries.since is not None else timedelta()
    return Status(
        problems=_problems(here, jobs[0], age, max_age),
        is_paused=here.paused_at is not None,
        paused_at=here.paused_at,
        paused_reason=here.paused_reason,
        failed=_count(waiting, "failed"),
        held=_count(waiting, "held"),
        unknown=_count(waiting, "unknown"),
        stranded=repo.count_on_items(session, items),
        backing_off=retries.count,
        next_retry_at=retries.next_at,
        unanswered_since=retries.since,
        webhooks_due=sum(unhandled(session).values()),
        jobs=jobs,
        overages=waiting,
        stranded_reasons=stranded,
        unsynced=_by_currency(waiting),
        blocked_reasons=blocked(session),
    )


def job_status(session: Session, command: str, max_age: timedelta | None = None) -> JobStatus:
    """How a command's last run went. The sync is overdue without a success within ``max_age``."""
    last, success = last_run(session, command), last_run(session, command, succeeded=True)
    ended = success.finished_at if success is not None else None
    age = max(database_now(session) - ended, timedelta()) if ended is not None else None
    is_overdue = None
    if max_age is not None and command == SYNC:
        is_overdue = age is None or age > max_age
    return JobStatus(
        command=command,
        run_id=last.id if last is not None else None,
        host=last.host if last is not None else None,
        started_at=last.started_at if last is not None else None,
        finished_at=last.finished_at if last is not None else None,
        exit_code=last.exit_code if last is not None else None,
        last_success_at=ended,
        age_seconds=int(age.total_seconds()) if age is not None else None,
        is_overdue=is_overdue,
        error=last.error if last is not None else None,
        counts=json.loads(last.counts) if last is not None and last.counts else {},
    )


def _problems(
    here: Installation, sync: JobStatus, unanswered: timedelta, max_age: timedelta | None
) -> list[str]:
    told = []
    if here.paused_at is not None:
        reason = here.paused_reason or "no reason given"
        told.append(f"sync is paused: {reason}; aimeter sync resume ends it")
    if sync.is_overdue and sync.last_success_at is None:
        told.append(f"{SYNC} has never succeeded")
    elif sync.is_overdue:
        age = timedelta(seconds=sync.age_seconds or 0)
        told.append(f"{SYNC} last succeeded {age} ago, which is more than {max_age}")
    if max_age is not None and unanswered > max_age:
        seconds = timedelta(seconds=int(unanswered.total_seconds()))
        told.append(
            f"Stripe has given no clear answer to a request for {seconds}, which is more than "
            f"{max_age}"
        )
    return told


def _count(waiting: Sequence[repo.Unsynced], state: str) -> int:
    return sum(each.count for each in waiting if each.status == state)


def _by_currency(waiting: Sequence[repo.Unsynced]) -> list[Unsynced]:
    groups: dict[str, list[repo.Unsynced]] = {}
    for each in waiting:
        groups.setdefault(each.currency, []).append(each)
    return [
        Unsynced(
            currency,
            sum(each.count for each in group),
            sum((each.amount for each in group), Decimal(0)),
            min(each.oldest_at for each in group),
        )
        for currency, group in sorted(groups.items())
    ]


@dataclass(frozen=True, slots=True)
class _Retries:
    count: int
    next_at: datetime | None
    since: datetime | None


def _retries(session: Session) -> _Retries:
    """Requests that wait for their back-off, and when the oldest was first sent under its key."""
    counts, nexts, firsts = [], [], []
    attempt = table_of(SyncAttempt).c
    for table, owner in (
        (table_of(InvoiceItem), attempt.item_id),
        (table_of(FinalInvoice), attempt.final_invoice_id),
    ):
        due = text("status IN ('sending', 'unknown')")  # as the partial indexes say it
        sent = select(func.max(attempt.first_sent_at)).where(owner == table.c.id)
        newest = sent.correlate(table).scalar_subquery()
        query = select(func.count(), func.min(table.c.not_before), func.min(newest))
        count, next_at, first = (
            session.connection().execute(query.where(due, table.c.status == "unknown")).one()
        )
        counts.append(count)
        nexts.append(next_at)
        firsts.append(first)
    return _Retries(sum(counts), _earliest(nexts), _earliest(firsts))


def _earliest(times: Sequence[datetime | None]) -> datetime | None:
    return min((time for time in times if time is not None), default=None)
