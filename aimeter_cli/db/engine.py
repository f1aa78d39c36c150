"""One engine per process, and the two ways to use it: ``read`` and ``write``.

SQLite is opened with WAL, foreign keys, ``synchronous=FULL`` (a claim that a power cut forgot
could be charged again under another key) and a busy time-out; writers say BEGIN IMMEDIATE, so that
two of them queue instead of failing half-way.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError
from sqlmodel import Session

from aimeter_cli.errors import ConfigurationError, DatabaseError

if TYPE_CHECKING:
    from sqlalchemy.pool import PoolProxiedConnection

    from aimeter_cli.domain.events import Emitted

_BUSY_TIMEOUT_SECONDS = 60
_EXPECTED = "Expected sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME"
_WRITE = "aimeter_write"
EMITTED = "emitted"
"""Where a session keeps what is to be told after its commit."""


class Database:
    """The engine with its transactions. Built once, in ``app``."""

    def __init__(self, url: str) -> None:
        self.url = checked_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = self._make_engine()
        self.read_only_reason: str | None = None
        self.after_commit: Callable[[list[Emitted]], None] | None = None

    @property
    def file(self) -> Path | None:
        """The SQLite file, None for other databases and in memory."""
        name = self.url.database
        return Path(name) if self.is_sqlite and name and name != ":memory:" else None

    @property
    def safe_url(self) -> str:
        """The URL without its password."""
        secret = [name for name in self.url.query if "password" in name.lower()]
        return self.url.difference_update_query(secret).render_as_string(hide_password=True)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for reading; whatever it changed is rolled back."""
        with self._session(write=False) as session:
            yield session

    @contextmanager
    def write(self, *, dry_run: bool = False) -> Iterator[Session]:
        """One transaction: committed at the end of the block, rolled back on any exception.

        With ``dry_run`` it is rolled back in any case: every check and constraint has been met,
        nothing has changed. What was emitted in it goes to ``after_commit`` once it is committed.
        Raises ConfigurationError where this process may not write.
        """
        if self.read_only_reason is not None and not dry_run:
            raise ConfigurationError(self.read_only_reason)
        with self._session(write=True) as session:
            yield session
            if dry_run:
                session.flush()
            else:
                session.commit()
        emitted = session.info.pop(EMITTED, None)
        if emitted and self.after_commit is not None and not dry_run:
            self.after_commit(emitted)

    def dispose(self) -> None:
        self.engine.dispose()

    @contextmanager
    def _session(self, *, write: bool) -> Iterator[Session]:
        """Closing it rolls back what is not committed; what was read or built stays readable."""
        connection = self._connect()
        info = connection.info
        try:
            info[_WRITE] = write
            with Session(connection, expire_on_commit=False, autoflush=True) as session:
                yield session
        finally:
            del info[_WRITE]
            connection.close()

    def _connect(self) -> Connection:
        try:
            return self.engine.connect()
        except OperationalError as error:
            reason = str(error.orig).splitlines()[0] if error.orig else "no reason given"
            what = (
                "that its file and folder can be read and written"
                if self.is_sqlite
                else "that the server is up"
            )
            raise DatabaseError(
                f"cannot open the database {self.safe_url}: {reason}",
                hint=f"Check database_url (AI_METERING_DATABASE_URL) and {what}.",
            ) from None

    def _make_engine(self) -> Engine:
        try:
            if not self.is_sqlite:
                return create_engine(
                    self.url, pool_pre_ping=True, pool_size=16, max_overflow=16,
                    hide_parameters=True,
                )  # fmt: skip
            if self.file is not None:
                _prepare_file(self.file)
            options: dict[str, Any] = {"hide_parameters": True}  # errors must not quote rows
            if self.file is not None:
                options |= {"connect_args": {"timeout": _BUSY_TIMEOUT_SECONDS}, "pool_size": 16}
            engine = create_engine(self.url, **options)
        except (ImportError, NoSuchModuleError):
            raise ConfigurationError(
                f"the driver for {self.url.drivername} is not installed",
                hint="pip install 'aimeter-cli[postgres]', and use postgresql+psycopg://…",
            ) from None
        event.listen(engine, "connect", _configure_sqlite)
        # As a listener, it would make the engine look for listeners at every statement.
        engine.dialect.do_begin = _begin_sqlite  # type: ignore[assignment, method-assign]
        return engine


def checked_url(text: str) -> URL:
    """The URL of a database of a kind that we know. Raises ConfigurationError."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ConfigurationError("database_url is not a database URL", hint=_EXPECTED) from None
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise ConfigurationError(
            f"database_url: {url.get_backend_name()} is not supported", hint=_EXPECTED
        )
    return url


def is_missing_file(url: str) -> bool:
    """Whether that SQLite database is not there yet; ``Database`` would make it."""
    parsed = make_url(url)
    name = parsed.database
    return parsed.get_backend_name() == "sqlite" and bool(name) and not Path(str(name)).exists()


def is_deadlock(error: BaseException) -> bool:
    """Whether the database ended a transaction so that others could go on: nothing was changed."""
    code = getattr(getattr(error, "orig", None), "sqlstate", None)
    return isinstance(error, DBAPIError) and code in ("40P01", "40001")


def _prepare_file(file: Path) -> None:
    """Make the folder and an empty file that only its owner can read (mode 0600)."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            os.close(os.open(file, os.O_CREAT | os.O_WRONLY, 0o600))
    except OSError as error:
        raise DatabaseError(
            f"cannot open the database {file}: {error.strerror}",
            hint="Check database_url and the rights of its folder.",
        ) from None


def _configure_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: PoolProxiedConnection) -> None:
    driver: Any = connection.dbapi_connection
    driver.execute("BEGIN IMMEDIATE" if connection.info.get(_WRITE) else "BEGIN")
