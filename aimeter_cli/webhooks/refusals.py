"""Deliveries that were refused: counted for ``doctor`` by their signature, told on stderr.

At once, then at most once a minute: whoever sends rubbish cannot keep the database busy.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import update
from sqlalchemy.exc import SQLAlchemyError

from aimeter_cli.db.engine import Database
from aimeter_cli.errors import AimeterError
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.installation import Installation

_SECONDS_BETWEEN = 60.0
_installation = table_of(Installation)
_log = logging.getLogger("aimeter")


class Refusals:
    """Counts for one process; threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._unwritten = 0
        self._last: datetime | None = None
        self._next_write = 0.0

    def count(self, now: datetime) -> bool:
        """One more. True if ``write`` should be called."""
        with self._lock:
            self._unwritten += 1
            self._last = now
            if time.monotonic() < self._next_write:
                return False
            self._next_write = time.monotonic() + _SECONDS_BETWEEN
            return True

    def write(self, database: Database) -> None:
        """Write what is not written yet. A database that does not answer is logged, no more."""
        with self._lock:
            number, last = self._unwritten, self._last
            self._unwritten = 0
        if not number:
            return
        columns = _installation.c
        values = {
            "deliveries_refused": columns.deliveries_refused + number,
            "delivery_refused_at": last,
        }
        try:
            with database.write() as session:
                session.connection().execute(update(_installation).values(values))
        except (SQLAlchemyError, AimeterError) as error:
            with self._lock:
                self._unwritten += number
            _log.warning("refused deliveries not counted", extra={"reason": type(error).__name__})


class RefusalNotices:
    """Tells of refused deliveries, for the one thread of an endpoint."""

    def __init__(
        self, notice: Callable[[str], object], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._notice, self._clock = notice, clock
        self._untold = 0
        self._next = 0.0

    def tell(self, reason: str) -> None:
        """One more; ``reason`` must be in our own words."""
        self._untold += 1
        now = self._clock()
        if now >= self._next:
            more = f" ({self._untold} since the last notice)" if self._untold > 1 else ""
            self._notice(f"A delivery was refused: {reason}{more}")
            self._untold, self._next = 0, now + _SECONDS_BETWEEN
