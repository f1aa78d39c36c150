"""What every door does with events: take them in, and do what must follow their commit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Protocol

from aimeter_cli.billing.base import BillingDriver
from aimeter_cli.billing.directory import DirectoryDriver
from aimeter_cli.db.engine import Database
from aimeter_cli.errors import ConfigurationError
from aimeter_cli.repositories.webhook_queue import known_that_are_waited_for
from aimeter_cli.settings.table import Settings
from aimeter_cli.signals import StopFlag
from aimeter_cli.webhooks.inbox import rehearse, take_in
from aimeter_cli.webhooks.results import EventResult
from aimeter_cli.webhooks.storing import Arrival, Rubbish
from aimeter_cli.webhooks.waiting import take_up

CHUNK = 200
"""Events that are taken in together."""


class Assembly(Protocol):
    """What a door needs of the composition root."""

    @property
    def database(self) -> Database: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def driver(self) -> BillingDriver: ...
    def now(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of some events; ``notices`` tell what was done after their commit."""

    results: Sequence[EventResult]
    notices: Sequence[str] = ()


class Intake:
    """The inbox behind a door. Threads may share it.

    Once ``stop`` is set, what follows an event is left to the next sync.
    """

    def __init__(self, app: Assembly, stop: StopFlag | None = None) -> None:
        self._app = app
        self.stop = stop or StopFlag()

    @cached_property
    def directory(self) -> DirectoryDriver | None:
        """Who is asked about ties and gaps; None where there is no key to ask with."""
        driver = self._app.driver
        if not isinstance(driver, DirectoryDriver):
            return None
        try:
            driver.ensure_ready()
        except ConfigurationError:
            return None
        return driver

    def take(self, arrived: Sequence[Arrival | Rubbish], *, force: bool = False) -> Taken:
        """Store and handle them, in the order given."""
        app, now = self._app, self._app.now()
        results = take_in(
            app.database, app.settings, arrived, now=now, force=force, directory=self.directory
        )
        return self._followed_up(results, now)

    def take_up_known(self) -> Taken:
        """Handle what still waits for subscriptions that are known by now: the process that made
        one known may have died, or not have seen the event yet."""
        app, now = self._app, self._app.now()
        with app.database.read() as session:
            known = known_that_are_waited_for(session, CHUNK)
        if not known:
            return Taken(())
        results = take_up(app.database, app.settings, known, now=now, directory=self.directory)
        return self._followed_up(results, now)

    def _followed_up(self, results: Sequence[EventResult], now: datetime) -> Taken:
        app = self._app
        if all(result.follow_up is None for result in results):
            return Taken(results)
        from aimeter_cli.webhooks.follow_up import follow_up  # the whole sync

        notices = follow_up(
            app.database, app.settings, lambda: app.driver, results, now=now, stop=self.stop
        )
        return Taken(results, notices)

    def rehearse(
        self, chunks: Iterable[Sequence[Arrival | Rubbish]], *, force: bool = False
    ) -> list[EventResult]:
        """What they would change; nothing is kept, and Stripe is not asked."""
        app = self._app
        return rehearse(app.database, app.settings, chunks, now=app.now(), force=force)
