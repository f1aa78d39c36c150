"""``aimeter events deliver``: events to sinks, at least once, each sink in a thread of its own.

Fan-out, claim and settlement are short transactions; while an event is on its way none is open. A
process that dies leaves a lease that expires: the event is then sent again.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from aimeter_cli.db.clock import steady
from aimeter_cli.db.engine import Database
from aimeter_cli.domain.events import EventName
from aimeter_cli.domain.sync import backoff
from aimeter_cli.errors import Interrupted, InvalidInput
from aimeter_cli.repositories import deliveries as repo
from aimeter_cli.repositories.deliveries import Due
from aimeter_cli.services.events.posting import NotDelivered
from aimeter_cli.services.events.sending import Sender, make_sender
from aimeter_cli.services.jobs import last_run, running
from aimeter_cli.settings.alerts import AlertSink
from aimeter_cli.settings.sinks import EventSink
from aimeter_cli.settings.table import Settings
from aimeter_cli.signals import StopFlag

Sink = EventSink | AlertSink
COMMAND = "events deliver"
FIRST_RUN = timedelta(days=1)
"""The first run ever delivers nothing older: a year of events is no news."""

_FOR_ONE = (EventName.ALERT_RAISED, EventName.ALERT_RESOLVED)
_NEW_AT_ONCE = 500
_CLAIMED_AT_ONCE = 10
_UNREACHABLE_LIMIT = 5
_MARGIN_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one. ``status``: delivered, pending (tried again at ``not_before``), failed
    (given up) or, in a rehearsal, due."""

    event_id: int
    name: str
    billable: str | None
    sink: str
    status: str
    attempts: int
    not_before: datetime | None = None
    error: str | None = None


@dataclass(slots=True)
class DeliveryReport:
    """``events`` were new; ``failed`` counts those to be tried again, too; ``deferred`` were left
    untried, because their sink does not answer or the run was stopped."""

    run_id: str | None
    dry_run: bool
    events: int = 0
    deferred: int = 0
    remaining: int = 0
    seconds: float = 0
    deliveries: list[Delivery] = field(default_factory=list)

    def count(self, *statuses: str) -> int:
        return sum(each.status in statuses for each in self.deliveries)

    @property
    def delivered(self) -> int:
        return self.count("delivered")

    @property
    def failed(self) -> int:
        return self.count("pending", "failed")

    @property
    def selected(self) -> int:
        return len(self.deliveries) + self.deferred

    @property
    def exit_code(self) -> int:
        return 3 if self.failed or self.deferred else 0

    @property
    def counts(self) -> dict[str, Any]:
        """For the job's row."""
        names = ("events", "selected", "delivered", "failed", "deferred", "remaining")
        return {name: getattr(self, name) for name in names}


def deliver(
    database: Database,
    settings: Settings,
    *,
    now: datetime,
    limit: int,
    stop: StopFlag,
    only: Sequence[str] | None = None,
    dry_run: bool = False,
    advance: Callable[[], object] = lambda: None,
) -> DeliveryReport:
    """Hand out the new events; deliver what is due, at most ``limit`` to each sink.

    ``only``: to these sinks alone. ``advance`` is told each delivery, by any thread.

    Raises InvalidInput for an unknown sink, ConfigurationError for one without its secret.
    """
    sinks = _sinks(settings, only)
    if not sinks:  # whoever has them hands the events out
        return DeliveryReport("", dry_run=dry_run)
    since = _since(database, now)
    if dry_run:
        return _rehearse(database, settings, sinks, since, limit)
    with ExitStack() as open_senders:
        senders = [open_senders.enter_context(closing(make_sender(sink))) for sink in sinks]
        with running(database, COMMAND) as job:
            began = time.monotonic()
            report = DeliveryReport(job.run_id, dry_run=False)
            _fan_out(database, settings, since, report, stop)
            run = _Run(database, settings.event_max_attempts, limit, stop, report, advance)
            with ThreadPoolExecutor(len(sinks), "sink") as pool:
                list(pool.map(run.work, sinks, senders))
            with database.read() as session:
                report.remaining = repo.count_due(session, [sink.name for sink in sinks])
            report.seconds = round(time.monotonic() - began, 3)
            job.counts, job.exit_code = report.counts, report.exit_code
            if stop.signum is not None:
                job.ended_by(Interrupted(stop.signum))
    return report


def _sinks(settings: Settings, only: Sequence[str] | None) -> list[Sink]:
    known = {sink.name: sink for sink in settings.destinations}
    if only is None:
        return list(known.values())
    unknown = next((name for name in only if name not in known), None)
    if unknown is not None:
        names = ", ".join(known) or "none is configured"
        raise InvalidInput(f"--sink: there is no sink {unknown!r}: {names}")
    return [known[name] for name in only]


def _since(database: Database, now: datetime) -> datetime | None:
    with database.read() as session:
        first = last_run(session, COMMAND, succeeded=True) is None
    return now - FIRST_RUN if first else None


def _wanted(settings: Settings) -> Callable[[str, str], list[str]]:
    """The names of the sinks that want an event, by its name and payload.

    What was raised for one of ``[[alerts]]`` is no news for the others.
    """
    wanted: dict[str, list[str]] = {}
    for sink in settings.destinations:
        for name in sink.events:
            wanted.setdefault(name.value, []).append(sink.name)
    of_alerts = {sink.name for sink in settings.alerts}

    def by(name: str, payload: str) -> list[str]:
        sinks = wanted.get(name, [])
        if name not in _FOR_ONE:
            return sinks
        others = of_alerts - {json.loads(payload)["alert"]}
        return [sink for sink in sinks if sink not in others]

    return by


def _fan_out(
    database: Database,
    settings: Settings,
    since: datetime | None,
    report: DeliveryReport,
    stop: StopFlag,
) -> None:
    wanted, count = _wanted(settings), _NEW_AT_ONCE
    while count == _NEW_AT_ONCE and not stop.is_set():
        with database.write() as session:
            count = repo.fan_out(session, wanted, since=since, most=_NEW_AT_ONCE)
        report.events += count


def _rehearse(
    database: Database,
    settings: Settings,
    sinks: list[Sink],
    since: datetime | None,
    limit: int,
) -> DeliveryReport:
    """What would be delivered, in a transaction that is rolled back."""
    report = DeliveryReport(None, dry_run=True)
    names = [sink.name for sink in sinks]
    with database.write(dry_run=True) as session:
        wanted, count = _wanted(settings), _NEW_AT_ONCE
        while count == _NEW_AT_ONCE:
            count = repo.fan_out(session, wanted, since=since, most=_NEW_AT_ONCE)
            report.events += count
        found = (repo.due(session, [name], limit) for name in names)
        report.deliveries = [_told(due, "due") for of_sink in found for due in of_sink]
        report.remaining = repo.count_due(session, names)
    return report


def _told(due: Due, status: str, **more: Any) -> Delivery:
    """``attempts`` with this one, unless it is only rehearsed."""
    tries = due.attempts + (status != "due")
    return Delivery(due.event_id, due.name, due.billable, due.sink, status, tries, **more)


class _Run:
    """What the threads of a run share."""

    def __init__(
        self,
        database: Database,
        max_attempts: int,
        limit: int,
        stop: StopFlag,
        report: DeliveryReport,
        advance: Callable[[], object],
    ) -> None:
        self._database = database
        self._advance = advance
        self._max_attempts = max_attempts
        self._limit = limit
        self._stop = stop
        self._report = report
        self._lock = Lock()

    def work(self, sink: Sink, sender: Sender) -> None:
        """Deliver what is due to a sink, oldest first, until there is nothing, or it is silent."""
        silent, left = 0, self._limit
        lease = timedelta(seconds=_CLAIMED_AT_ONCE * sink.timeout_seconds + _MARGIN_SECONDS)
        while left and not self._stop.is_set() and silent < _UNREACHABLE_LIMIT:
            token, end = uuid.uuid4().hex, steady() + lease.total_seconds()
            with self._database.write() as session:
                claimed = repo.claim(
                    session, sink.name, token=token, lease=lease, most=min(left, _CLAIMED_AT_ONCE)
                )
            if not claimed:
                return
            left -= len(claimed)
            for position, due in enumerate(claimed):
                late = steady() > end - sink.timeout_seconds - _MARGIN_SECONDS / 2
                if self._stop.is_set() or silent == _UNREACHABLE_LIMIT or late:
                    self._defer(claimed[position:], token)
                    break
                silent = silent + 1 if self._deliver(sender, due, token) else 0

    def _deliver(self, sender: Sender, due: Due, token: str) -> bool:
        """Send and settle. Whether the sink was unreachable."""
        try:
            sender.send(due)
        except NotDelivered as failure:
            tries = due.attempts + 1
            wait = backoff(tries, 1.0) if tries < self._max_attempts else None
            with self._database.write() as session:
                then = repo.settle_failed(session, due, token, failure.reason, wait)
            status = "failed" if wait is None else "pending"
            self._add(_told(due, status, not_before=then, error=failure.reason))
            return failure.unreachable
        with self._database.write() as session:
            repo.settle_delivered(session, due, token)
        self._add(_told(due, "delivered"))
        return False

    def _add(self, delivery: Delivery) -> None:
        with self._lock:
            self._report.deliveries.append(delivery)
        self._advance()

    def _defer(self, claimed: Sequence[Due], token: str) -> None:
        with self._database.write() as session:
            repo.release(session, claimed, token)
        with self._lock:
            self._report.deferred += len(claimed)
