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
from aimeter_cli.domain.sync import Answer
from aimeter_cli.errors import AimeterError, ConfigurationError
from aimeter_cli.repositories.installation import installation
from aimeter_cli.repositories.webhook_queue import pulled_until, set_pulled_until
from aimeter_cli.services.jobs import Job, running
from aimeter_cli.services.sync.account import check_mode
from aimeter_cli.signals import StopFlag
from aimeter_cli.webhooks.intake import CHUNK, Assembly, Intake, Taken
from aimeter_cli.webhooks.reading import Incoming
from aimeter_cli.webhooks.registry import HANDLERS
from aimeter_cli.webhooks.replay import Found
from aimeter_cli.webhooks.spool import Spool
from aimeter_cli.webhooks.storing import Arrival, Rubbish, arrive

COMMAND = "webhooks-pull"
SOURCE = "stripe"
KEPT = timedelta(days=30)
"""How far back Stripe lists events."""
OVERLAP = timedelta(hours=2)
"""Read once more: an event may be listed late, and clocks differ."""


@dataclass(slots=True)
class Pull:
    """One pull. ``since``: further back, or less, than the cursor; ``undelivered``: only events
    that some endpoint of the account has not taken. Only a pull that leaves nothing out moves the
    cursor."""

    app: Assembly
    since: datetime | None = None
    undelivered: bool = False
    dry_run: bool = False
    stop: StopFlag = field(default_factory=StopFlag)
    found: Found = lambda _: None
    gap: str | None = None
    """What can never be pulled, once it is known."""

    def run(self) -> Iterator[Taken]:
        """What became of the events, oldest first, as a job.

        Raises ConfigurationError without a key, or for one of another mode; AimeterError if Stripe
        cannot be read, after what could be read has been handled.
        """
        driver = self._driver()
        with running(self.app.database, COMMAND, dry_run=self.dry_run) as job:
            yield from self._run(driver, job)
            self.stop.raise_if_signalled()

    def _driver(self) -> DirectoryDriver:
        driver = self.app.driver
        driver.ensure_ready()
        if not isinstance(driver, DirectoryDriver):
            raise ConfigurationError(
                f"the billing driver {driver.name!r} has no events to pull",
                hint="Set AI_METERING_BILLING_DRIVER=stripe and STRIPE_API_KEY.",
            )
        with self.app.database.read() as session:
            check_mode(installation(session), driver)
        return driver

    def _run(self, driver: DirectoryDriver, job: Job) -> Iterator[Taken]:
        began = self.app.now()
        with self.app.database.read() as session:
            cursor = pulled_until(session)
        start = self._start(cursor, began)
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
        reaches = self.since is None or cursor is None or self.since <= cursor
        is_whole = reaches and not self.undelivered
        if is_whole and not self.dry_run and not self.stop.is_set():
            with self.app.database.write() as session:
                set_pulled_until(session, began)

    def _start(self, cursor: datetime | None, now: datetime) -> datetime:
        """From when on events are listed; a gap that cannot be listed any more is told."""
        oldest = now - KEPT
        wanted = self.since or (cursor - OVERLAP if cursor is not None else oldest)
        missed = self.since is None and cursor is not None and cursor < oldest
        if missed or wanted < oldest - OVERLAP:
            lost = cursor if missed and cursor is not None else wanted
            self.gap = (
                f"Stripe lists events of 30 days only: those from {lost:%Y-%m-%d %H:%M} to "
                f"{oldest:%Y-%m-%d %H:%M} UTC are missing"
            )
        return max(wanted, oldest)

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
        intake = Intake(self.app)
        if self.dry_run:
            yield Taken(intake.rehearse(_chunks(spool)))
            return
        for chunk in _chunks(spool):
            if self.stop.is_set():
                return
            yield intake.take(chunk)


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
