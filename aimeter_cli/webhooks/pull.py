"""``webhooks pull``: Stripe's own list of events, for whom no delivery reaches.

Source: Stripe, API reference, "List all events": 30 days back, newest first.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from aimeter_cli.billing.base import Reply
from aimeter_cli.billing.directory import DirectoryDriver
from aimeter_cli.billing.null import SET_DRIVER
from aimeter_cli.domain.sync import Answer
from aimeter_cli.errors import AimeterError, ConfigurationError
from aimeter_cli.repositories.installation import bound_installation
from aimeter_cli.repositories.webhook_queue import (
    has_events_between,
    pulled_until,
    set_pulled_until,
)
from aimeter_cli.services.jobs import Job, running
from aimeter_cli.services.sync.account import check_mode, settle_reading
from aimeter_cli.signals import StopFlag
from aimeter_cli.webhooks.intake import CHUNK, Assembly, Intake, Taken
from aimeter_cli.webhooks.reading import Incoming
from aimeter_cli.webhooks.registry import HANDLERS
from aimeter_cli.webhooks.replay import Found
from aimeter_cli.webhooks.spool import Spool
from aimeter_cli.webhooks.storing import Arrival, Rubbish, arrive

COMMAND = "webhooks pull"
SOURCE = "stripe"
KEPT = timedelta(days=30)
"""How far back Stripe lists events."""
OVERLAP = timedelta(hours=2)
"""Read once more: an event may be listed late, and clocks differ."""


@dataclass(slots=True)
class Pull:
    """One pull. ``since``: further back, or less, than the cursor; ``undelivered``: only events
    that some endpoint of the account has not taken. Only a pull that leaves nothing out since the
    cursor, or without one of all that Stripe lists, moves it."""

    app: Assembly
    since: datetime | None = None
    undelivered: bool = False
    dry_run: bool = False
    stop: StopFlag = field(default_factory=StopFlag)
    found: Found = lambda _: None
    gap: str | None = None
    """What can never be pulled, once it is known."""
    is_gap_covered: bool = False
    """Whether events of that time came through another door."""

    def run(self) -> Iterator[Taken]:
        """What became of the events, oldest first, as a job.

        Raises ConfigurationError without a key, or for one of another mode or account; AimeterError
        if Stripe cannot be read, after what could be read has been handled.
        """
        driver = self._driver()
        with running(self.app.database, COMMAND, dry_run=self.dry_run) as job:
            yield from self._run(driver, job)
            self.stop.raise_if_signalled()

    def _driver(self) -> DirectoryDriver:
        driver = self.app.driver
        if not isinstance(driver, DirectoryDriver):
            raise ConfigurationError(
                f"the billing driver is {driver.name}: there is nobody to pull events from",
                hint=SET_DRIVER,
            )
        driver.ensure_ready()
        with self.app.database.read() as session:
            check_mode(bound_installation(session), driver)
        return driver

    def _run(self, driver: DirectoryDriver, job: Job) -> Iterator[Taken]:
        began = self._now(driver)
        with self.app.database.read() as session:
            cursor = pulled_until(session)
        resume = _resume(cursor, began)
        start = max(self.since or resume, began - KEPT)
        is_whole = start <= resume and not self.undelivered
        self._tell_gap(cursor if is_whole else None, began - KEPT)
        counts: dict[str, int] = {}
        with Spool() as spool:
            fault = self._list(driver, start, spool)
            self.found(len(spool))
            for taken in self._take(spool):
                for result in taken.results:
                    counts[result.status] = counts.get(result.status, 0) + 1
                job.counts = dict(counts)
                if any(result.is_bad for result in taken.results):
                    job.exit_code = 3
                yield taken
        if fault is not None:
            raise fault
        if is_whole and not self.dry_run and not self.stop.is_set():
            with self.app.database.write() as session:
                set_pulled_until(session, began)

    def _now(self, driver: DirectoryDriver) -> datetime:
        """Our time, but never later than Stripe's: what is still to come must not be passed over.

        Raises ConfigurationError for a key of another account than that of the rows.
        """
        app, account = self.app, driver.account()
        settle_reading(app.database, driver, account, dry_run=self.dry_run)
        now = app.now()
        return min(now, account.told_at or now)

    def _tell_gap(self, cursor: datetime | None, oldest: datetime) -> None:
        """What lies before the oldest event that Stripe lists, and was to be read."""
        if cursor is not None and cursor < oldest:
            missed = cursor
        elif self.since is not None and self.since < oldest - OVERLAP:
            missed = self.since
        else:
            return
        with self.app.database.read() as session:
            self.is_gap_covered = has_events_between(session, missed, oldest)
        self.gap = (
            f"Stripe lists events of 30 days only: those from {missed:%Y-%m-%d %H:%M} to "
            f"{oldest:%Y-%m-%d %H:%M} UTC are missing"
        )

    def _list(self, driver: DirectoryDriver, start: datetime, spool: Spool) -> AimeterError | None:
        """Put every event of the list into the spool; what kept it from being read, if anything."""
        types = sorted(HANDLERS)
        since = int(start.astimezone(UTC).timestamp())
        for event in driver.events(types, since, undelivered=self.undelivered):
            if isinstance(event, Reply):
                return _fault(event)
            if self.stop.is_set():
                break
            created = event.get("created")
            text = json.dumps(dict(event), separators=(",", ":"))
            spool.add(text, created if isinstance(created, int) else 0)
        return None

    def _take(self, spool: Spool) -> Iterator[Taken]:
        intake = Intake(self.app, self.stop)
        if self.dry_run:
            yield Taken(intake.rehearse(_chunks(spool)))
            return
        for chunk in _chunks(spool):
            if self.stop.is_set():
                return
            yield intake.take(chunk)
        yield intake.take_up_known()


def _resume(cursor: datetime | None, now: datetime) -> datetime:
    """Where a pull must begin at the latest, to leave nothing out that Stripe lists."""
    oldest = now - KEPT
    return max(cursor - OVERLAP, oldest) if cursor is not None else oldest


def _chunks(spool: Spool) -> Iterator[Sequence[Arrival | Rubbish]]:
    chunk: list[Arrival | Rubbish] = []
    for text in spool.in_order(last_come_first=True):
        chunk.append(arrive(Incoming(SOURCE, text)))
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _fault(reply: Reply) -> AimeterError:
    reason = reply.reason or "no reason given"
    if reply.answer is Answer.MISCONFIGURED:
        return ConfigurationError(
            f"Stripe refuses to list events: {reason}",
            hint="The key needs permission to read events.",
        )
    return AimeterError(
        f"Stripe's events cannot be read to the end: {reason}",
        hint="Run it again: the next pull begins where the last whole one ended.",
    )
