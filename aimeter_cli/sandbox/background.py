"""What goes on between requests: time passes, and webhooks go out."""

import threading

from . import schedule
from .call import Call
from .deliveries import Deliveries
from .parts import Parts

_EVERY = 0.2
"""Seconds between two looks."""


class Background:
    """A thread that lives until ``parts.stop`` is set."""

    def __init__(self, parts: Parts, deliveries: Deliveries) -> None:
        self._parts, self._deliveries = parts, deliveries
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._parts.stop.wait(_EVERY):
                if self._parts.settings.renewals == "auto":
                    self._time_passes()
                self._deliveries.run_due()
        except ConnectionAbortedError:
            return  # the sandbox has stopped

    def _time_passes(self) -> None:
        parts = self._parts
        with parts.store.transaction() as db:
            now = int(parts.clock.now())
            schedule.run(Call(db, now, parts.store.account, by="person", settings=parts.settings))
