"""The first worker of ``webhooks serve``: stores deliveries, as many in a transaction as wait."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from sqlalchemy.exc import SQLAlchemyError

from aimeter_cli.errors import AimeterError
from aimeter_cli.webhooks.intake import Assembly
from aimeter_cli.webhooks.storing import Arrival, Rubbish, store

_MOST_WAITING = 1000
_MOST_TOGETHER = 100

Delivery = Arrival | Rubbish
Kept = Future[bool]
"""True once the delivery is committed; what kept it from that, else."""


class Storer:
    """Deliveries from the endpoint's thread to the database; ``kept`` is called after commits."""

    def __init__(self, app: Assembly, kept: Callable[[], object]) -> None:
        self._app, self._kept = app, kept
        self._waiting: queue.Queue[tuple[Delivery, Kept] | None] = queue.Queue(_MOST_WAITING)
        self._thread = threading.Thread(target=self._run, name="store-deliveries")

    def start(self) -> None:
        self._thread.start()

    def submit(self, delivery: Delivery) -> Kept:
        """Raises queue.Full where too many wait already."""
        promise: Kept = Future()
        promise.set_running_or_notify_cancel()  # who does not wait for it must not cancel it
        self._waiting.put_nowait((delivery, promise))
        return promise

    def close(self) -> None:
        """Store what waits, then end."""
        while self._thread.is_alive():
            try:
                self._waiting.put(None, timeout=1)
                break
            except queue.Full:
                continue
        self._thread.join()

    def _run(self) -> None:
        is_open = True
        while is_open:
            first = self._waiting.get()
            some = [] if first is None else [first]
            is_open = first is not None
            while len(some) < _MOST_TOGETHER:
                try:
                    following = self._waiting.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    is_open = False
                else:
                    some.append(following)
            if some and not self._store(some) and len(some) > 1:
                for each in some:  # one of them may be the reason
                    self._store([each], is_last_try=True)

    def _store(self, some: Sequence[tuple[Delivery, Kept]], *, is_last_try: bool = False) -> bool:
        try:
            with self._app.database.write() as session:
                store(session, [delivery for delivery, _ in some], self._app.now())
        except (SQLAlchemyError, AimeterError) as error:
            if len(some) == 1 or is_last_try:
                for _, promise in some:
                    promise.set_exception(error)
            return False
        except BaseException as error:  # a fault of ours: the thread must live, the caller hear it
            for _, promise in some:
                promise.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return True
        self._kept()
        for _, promise in some:
            promise.set_result(True)
        return True
