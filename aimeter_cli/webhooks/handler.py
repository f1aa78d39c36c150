"""The second worker of ``webhooks serve``: handles what is stored, whoever has stored it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError

from aimeter_cli.errors import AimeterError
from aimeter_cli.repositories.webhook_events import set_outcome
from aimeter_cli.repositories.webhook_queue import StoredText, due_events
from aimeter_cli.webhooks.intake import CHUNK, Assembly, Intake, Taken
from aimeter_cli.webhooks.retry import arrivals

RETRY_AFTER = timedelta(minutes=15)
MOST_ATTEMPTS = 20
"""A failed event is tried again so many times; then only by ``webhooks retry``."""
_IDLE_SECONDS = 5.0
_LONGEST_PAUSE = 60.0
_LAST_SECONDS = 20.0
_log = logging.getLogger("aimeter")


class Handler:
    """A thread that works off the inbox: when it starts, when something is stored, when idle."""

    def __init__(self, app: Assembly, intake: Intake, notice: Callable[[str], object]) -> None:
        self._app, self._intake, self._notice = app, intake, notice
        self._wake = threading.Event()
        self._end: float | None = None
        self._thread = threading.Thread(target=self._run, name="handle-events")
        self.is_healthy = True
        """Whether the database answered last time."""

    def start(self) -> None:
        self._wake.set()
        self._thread.start()

    def wake(self) -> None:
        self._wake.set()

    def close(self) -> None:
        """Handle what is stored, for some seconds at the most, then end; the rest waits, and so
        does what follows an event: the next sync does it."""
        self._intake.stop.stop()
        self._end = time.monotonic() + _LAST_SECONDS
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        pause = _IDLE_SECONDS
        while True:
            self._wake.wait(pause)
            self._wake.clear()
            is_last = self._end is not None
            try:
                self._work_off()
            except (SQLAlchemyError, AimeterError) as error:
                self.is_healthy = False
                pause = min(pause * 2, _LONGEST_PAUSE)
                _log.warning("events wait", extra={"reason": _reason(error)})
            else:
                self.is_healthy = True
                pause = _IDLE_SECONDS
            if is_last:
                return

    def _work_off(self) -> None:
        before: set[int] = set()
        self._tell(self._intake.take_up_known())
        while self._end is None or time.monotonic() < self._end:
            with self._app.database.read() as session:
                due = due_events(
                    session, failed_before=self._app.now() - RETRY_AFTER,
                    most_attempts=MOST_ATTEMPTS, limit=CHUNK,
                )  # fmt: skip
            ids = {each.id for each in due}
            if not ids - before:  # nothing, or nothing that another look would change
                return
            before = ids
            self._handle(due)

    def _handle(self, due: Sequence[StoredText]) -> None:
        try:
            self._tell(self._intake.take(arrivals(due)))
        except (SQLAlchemyError, AimeterError):
            raise
        except Exception as error:  # noqa: BLE001  # a fault of ours: it must not stop the others
            _log.error("event not handled", extra={"reason": _reason(error)})
            if len(due) > 1:
                for each in due:
                    self._handle([each])
                return
            with self._app.database.write() as session:
                set_outcome(
                    session, due[0].id, status="failed", attempts=MOST_ATTEMPTS,
                    error=f"a fault of aimeter: {_reason(error)}", now=self._app.now(),
                )  # fmt: skip

    def _tell(self, taken: Taken) -> None:
        for result in taken.results:
            log = _log.warning if result.is_bad else _log.info
            told = {"event_id": result.event_id, "type": result.type, "status": result.status}
            log("event handled", extra={**told, "error": result.error})
        for notice in taken.notices:
            self._notice(notice)


def _reason(error: Exception) -> str:
    """Without what a message may quote of a payload."""
    return error.message if isinstance(error, AimeterError) else type(error).__name__
