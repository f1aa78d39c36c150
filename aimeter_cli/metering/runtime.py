"""What the meters of a process share: settings, database, prices; built on first use, once."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aimeter_cli.app import App
from aimeter_cli.metering.references import Resolver
from aimeter_cli.settings.table import Settings

if TYPE_CHECKING:
    from aimeter_cli.db.engine import Database
    from aimeter_cli.services.recording.record import Recorder


class Runtime:
    """An ``App`` for many threads, and for the processes that a server forks."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._process = 0

    @property
    def app(self) -> App:
        """Ready to use. Raises ConfigurationError, DatabaseError."""
        if self._process != os.getpid():
            with self._lock:
                if self._process != os.getpid():
                    self._begin()
        return self._app

    def _begin(self) -> None:
        if self._process:  # a fork must not use its parent's connections, nor close them
            self._app.unchecked_database.engine.dispose(close=False)
        app = self._app
        _ = app.database, app.prices
        self._process = os.getpid()

    @property
    def settings(self) -> Settings:
        return self.app.settings

    @property
    def database(self) -> Database:
        return self.app.database

    def now(self) -> datetime:
        return self._app.now()

    def recorder(self) -> Recorder:
        from aimeter_cli.services.recording.record import Recorder

        return Recorder(self.database, self.settings, self.app.prices)

    def tenant(self) -> str | None:
        """What ``tenant_resolver`` says."""
        resolve = self.app.tenant_resolver
        return None if resolve is None else _text(resolve())

    @property
    def billable_resolver(self) -> Resolver | None:
        return self.app.billable_resolver

    def close(self) -> None:
        """Close the connections; the next use opens new ones."""
        self._app.close()


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


_default: Runtime | None = None
_default_lock = threading.Lock()


def configure(
    *, config: Path | str | None = None, overrides: Mapping[str, Any] | None = None
) -> Runtime:
    """Say where the configuration of this process is, before the first metered call.

    ``overrides`` are settings by key, such as ``database_url``, tables as dictionaries. Without a
    call of this, it is found as the command finds it: environment, ``.env``, ``aimeter.toml``.
    """
    global _default
    runtime = Runtime(App(config=Path(config) if config else None, overrides=overrides))
    with _default_lock:
        previous, _default = _default, runtime
    if previous is not None:
        previous.close()
    return runtime


def default_runtime() -> Runtime:
    """The one of this process."""
    global _default  # noqa: PLW0603 - one default for a process
    with _default_lock:
        if _default is None:
            _default = Runtime(App())
        return _default
