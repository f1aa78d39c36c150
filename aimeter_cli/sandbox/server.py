"""The sandbox as a whole: state, faults and listener, put together and run."""

import signal
import tempfile
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from . import settings as stored_settings
from . import webhook_endpoints
from .background import Background
from .call import Call
from .control import Control
from .deliveries import Deliveries
from .faults import Faults, parse
from .gate import Gate
from .listener import Listener
from .parts import Parts
from .refusals import ApiError
from .settings import Clock
from .store import Store
from .wire import Connection


def serve(
    host: str = "127.0.0.1",
    port: int = 12111,
    db: str | None = None,
    *,
    rate_limit: float | None = None,
    latency_ms: float | None = None,
    faults: Iterable[str] = (),
    forward_to: str | None = None,
    ready: Callable[[str], None] | None = None,
    forwards: Callable[[str], None] | None = None,
    stop: threading.Event | None = None,
    **settings: Any,
) -> None:
    """Run the sandbox until SIGINT, SIGTERM or ``stop``; prints nothing.

    ``port`` 0 picks a free one; ``db`` None keeps the state in a temporary file. ``faults`` are
    written as in :mod:`.faults`; ``rate_limit``, ``latency_ms`` and ``settings`` as in
    :mod:`.settings`, and what is left out stays as the file has it. ``forward_to`` is an endpoint
    that gets all events, registered unless the file knows it; ``forwards`` is called with its
    secret. ``ready`` is called with the base URL once requests are answered. Signals are taken
    only on the main thread.

    Raises ValueError for a bad fault or setting, OSError when the port is taken,
    :class:`sqlite3.Error` when the file is unusable.
    """
    ordered = [parse(text) for text in faults]
    given = {"rate_limit": rate_limit, "latency_ms": latency_ms}
    settings |= {name: value for name, value in given.items() if value is not None}
    with tempfile.TemporaryDirectory(prefix="aimeter-sandbox-") as folder:
        store = Store(db or str(Path(folder) / "sandbox.db"))
        try:
            stop = stop or threading.Event()
            with store.transaction() as state:
                recorded = Faults(state)
                for fault in ordered:
                    recorded.add(state, fault)
            changed = stored_settings.read(store).changed(settings)
            with store.transaction() as state:
                stored_settings.write(state, changed)
            if forward_to is not None:
                secret = _forward(store, changed, forward_to)
                if forwards is not None:
                    forwards(secret)
            _run(Parts(store, Clock(store), recorded, changed, stop), (host, port), ready)
        finally:
            store.close()


def _forward(store: Store, settings: stored_settings.Settings, url: str) -> str:
    """The secret of the endpoint of that URL, registered if it is new; raises ValueError."""
    clock = Clock(store)
    with store.transaction() as db:
        wanted = {"url": url, "enabled_events": ["*"]}
        call = Call(db, int(clock.now()), store.account, params=wanted, settings=settings)
        known = webhook_endpoints.secret_of(call, url)
        try:
            return known or str(webhook_endpoints.create(call)["secret"])
        except ApiError as refusal:
            raise ValueError(refusal.message) from None


def _run(parts: Parts, address: tuple[str, int], ready: Callable[[str], None] | None) -> None:
    class Handler(Connection):
        """The connections of this listener."""

    listener = Listener(address, Handler)
    Handler.gate = Gate(parts, listener.outage)
    deliveries = Deliveries(parts)
    Handler.control = Control(parts, listener.outage, deliveries)
    Handler.stop = parts.stop
    Handler.opened, Handler.closed = listener.opened, listener.closed
    previous = _take_signals(parts.stop, listener)
    try:
        Background(parts, deliveries).start()
        if ready is not None:
            ready(listener.url)
        listener.run(parts.stop)
    finally:
        parts.stop.set()
        listener.server_close()
        for number, action in previous.items():
            signal.signal(number, action)


def _take_signals(stop: threading.Event, listener: Listener) -> dict[int, Any]:
    """Stop on SIGINT and SIGTERM; returns what was set before, nothing off the main thread."""
    if threading.current_thread() is not threading.main_thread():
        return {}

    def end(_number: int, _frame: Any) -> None:
        stop.set()
        listener.wake()

    return {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
