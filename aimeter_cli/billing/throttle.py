"""A token bucket: so many requests a second, fewer after a 429, recovering by itself."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from aimeter_cli.db.clock import steady

_RECOVERY_PER_SECOND = 1.0
_BURST = 5


class Throttle:
    """``acquire`` blocks until the next request may go out. Shared by threads.

    After a pause a quarter of a second's turns, five at the most, may be taken at once: with 20 a
    second, no second sees more than Stripe's 25. The rate is halved by :meth:`slow_down` (at least
    1/s), and grows back by one request per second each second.
    """

    def __init__(
        self,
        per_second: float,
        *,
        clock: Callable[[], float] = steady,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._most = float(per_second)
        self._rate = float(per_second)
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next = -math.inf
        self._adjusted = clock()

    @property
    def rate(self) -> float:
        """Requests per second allowed at the moment."""
        with self._lock:
            return self._recovered(self._clock())

    def acquire(self, before: float = math.inf) -> bool:
        """Wait for a turn. False, at once, if there is none before that time of the clock."""
        with self._lock:
            now = self._clock()
            rate = self._recovered(now)
            saved = (min(max(rate // 4, 1), _BURST) - 1) / rate
            slot = max(self._next, now - saved)
            if slot > before:
                return False
            self._next = slot + 1.0 / rate
        if slot > now:
            self._sleep(slot - now)
        return self._clock() <= before

    def slow_down(self) -> None:
        """A 429 came back. Several within half a second count as one."""
        with self._lock:
            now = self._clock()
            if self._rate < self._most and now - self._adjusted < 0.5:
                return
            self._rate = max(1.0, self._recovered(now) / 2)
            self._adjusted = now
            self._next = max(self._next, now + 1.0 / self._rate)

    def _recovered(self, now: float) -> float:
        return min(self._most, self._rate + (now - self._adjusted) * _RECOVERY_PER_SECOND)
