"""What is going on at this moment: requests per endpoint, keys and customers in use."""

import math
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from .refusals import ApiError, key_in_use, lock_timeout, rate_limited

WINDOW = 1.0
"""Seconds over which requests on one endpoint are counted."""


class RateLimit:
    """At most N requests on one endpoint within any second; refused ones do not count."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._times: dict[str, deque[float]] = defaultdict(deque)

    def admit(self, endpoint: str, limit: float | None) -> None:
        """Count a request, or raise 429 ``rate_limit`` with ``Retry-After``."""
        if limit is None:
            return
        now = time.monotonic()
        with self._lock:
            times = self._times[endpoint]
            while times and now - times[0] >= WINDOW:
                times.popleft()
            if len(times) >= limit:
                raise rate_limited(max(1, math.ceil(times[0] + WINDOW - now)))
            times.append(now)


class InUse:
    """Names that one request at a time may hold."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._names: set[str] = set()

    @contextmanager
    def hold(self, name: str | None, refusal: ApiError) -> Iterator[None]:
        """Hold ``name`` during the block; raises ``refusal`` when another request holds it."""
        if name is None:
            yield
            return
        with self._lock:
            if name in self._names:
                raise refusal
            self._names.add(name)
        try:
            yield
        finally:
            with self._lock:
                self._names.discard(name)


class Traffic:
    """The three of them, and how many requests are held up on their way."""

    def __init__(self) -> None:
        self.rates = RateLimit()
        self._keys, self._customers = InUse(), InUse()
        self._lock = threading.Lock()
        self._held = 0

    def key(self, key: str | None) -> AbstractContextManager[None]:
        """Hold an idempotency key; raises 409 when it is in flight."""
        return self._keys.hold(key, key_in_use(key or ""))

    def customer(self, customer: str | None) -> AbstractContextManager[None]:
        """Hold a customer; raises 429 ``lock_timeout`` when another request holds it."""
        return self._customers.hold(customer, lock_timeout())

    @property
    def held(self) -> int:
        """How many requests have been answered, or not, and are yet to execute."""
        return self._held

    @contextmanager
    def holding_up(self) -> Iterator[None]:
        """Count a request as held up during the block."""
        with self._lock:
            self._held += 1
        try:
            yield
        finally:
            with self._lock:
                self._held -= 1
