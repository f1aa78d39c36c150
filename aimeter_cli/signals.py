"""SIGINT and SIGTERM as a flag: what is in flight is settled before the process ends."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from aimeter_cli.errors import Interrupted


class StopFlag:
    """Set by a signal; workers look at it between requests."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.signum: int | None = None

    def stop(self, signum: int | None = None) -> None:
        self.signum = self.signum or signum
        self._event.set()

    def is_set(self) -> bool:
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Sleep, but wake up when asked to stop. Returns whether it was."""
        return self._event.wait(seconds)

    def raise_if_signalled(self) -> None:
        """Raises Interrupted (exit 130 or 143) if a signal has come."""
        if self.signum is not None:
            raise Interrupted(self.signum)


class AnyFlag(StopFlag):
    """Set when any of the given flags is."""

    def __init__(self, *flags: StopFlag) -> None:
        super().__init__()
        self._flags = flags

    def is_set(self) -> bool:
        return any(flag.is_set() for flag in self._flags)

    def wait(self, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while not self.is_set() and (left := end - time.monotonic()) > 0:
            self._flags[0].wait(min(left, 0.2))
        return self.is_set()


@contextmanager
def stop_on_signals() -> Iterator[StopFlag]:
    """Install handlers for SIGINT and SIGTERM; the previous ones come back at the end.

    Outside the main thread, where Python allows no handlers, the flag is simply never set by one.
    """
    flag = StopFlag()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return

    def handler(signum: int, _frame: FrameType | None) -> None:
        flag.stop(signum)

    previous = {s: signal.signal(s, handler) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield flag
    finally:
        for signum, old in previous.items():
            signal.signal(signum, old)
