"""Reading the other database: any that SQLAlchemy reaches, one snapshot, never a write.

Every value is read as text, so that no driver makes a float of money or guesses a time zone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import tzinfo
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import (
    BigInteger,
    Connection,
    Engine,
    Select,
    String,
    bindparam,
    cast,
    column,
    create_engine,
    false,
    func,
    inspect,
    select,
    table,
    text,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import NullPool

from aimeter_cli.errors import ConfigurationError, DatabaseError, InvalidInput
from aimeter_cli.services.laravel.schema import OURS, TABLES, UNUSUAL, SourceTable
from aimeter_cli.services.laravel.values import SourceRow

BATCH = 2000
_DRIVERS = {
    "postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg",
    "pgsql": "postgresql+psycopg", "mysql": "mysql+pymysql", "mariadb": "mariadb+pymysql",
}  # fmt: skip
"""What Laravel calls a database, by the driver that reads it."""
_EXTRAS = {"pymysql": "'aimeter-cli[mysql]'", "psycopg": "'aimeter-cli[postgres]'"}
_EXPECTED = "Expected sqlite:///FILE, mysql+pymysql://USER@HOST/NAME or postgresql://USER@HOST/NAME"


class Source:
    """An open database. ``lacks``: what of the published schema it does not have, in words."""

    def __init__(self, connection: Connection, zone: tzinfo) -> None:
        self._connection = connection
        self._zone = zone
        self._columns: dict[str, list[str]] = {}
        self.lacks: list[str] = []
        present = set(inspect(connection).get_table_names())
        if OURS in present:
            raise InvalidInput(
                "DATABASE_URL: this is a database of aimeter itself",
                hint="Name the one of the Laravel application.",
            )
        for each in TABLES:
            if each.name in present:
                self._columns[each.name] = self._known_columns(each)
            else:
                self.lacks.append(f"there is no table {each.name}: nothing of it was read")
        if not self._columns:
            raise InvalidInput(
                "DATABASE_URL: this database has none of the tables of Laravel AI Metering, "
                "such as ai_plans",
                hint="Does the package use another connection (AI_METERING_DB_CONNECTION)?",
            )

    def counts(self) -> dict[str, int]:
        """Rows of each table."""
        return {
            name: self._connection.execute(
                select(func.count()).select_from(table(name))
            ).scalar_one()
            for name in self._columns
        }

    def billable_types(self) -> list[str]:
        """Every ``billable_type`` there is."""
        found: set[str] = set()
        for name, columns in self._columns.items():
            if "billable_type" in columns:
                kinds: Select[Any] = select(column("billable_type")).select_from(table(name))
                found.update(filter(None, self._connection.execute(kinds.distinct()).scalars()))
        return sorted(found)

    def batches(self, wanted: SourceTable, size: int = BATCH) -> Iterator[list[SourceRow]]:
        """The rows by their ids, some at a time. Raises InvalidInput for ids of another kind."""
        columns = self._columns.get(wanted.name)
        if columns is None:
            return
        query, after = rows_after(wanted.name, columns, size), -1
        while True:
            found = self._connection.execute(query, {"after": after}).mappings().all()
            rows = [SourceRow(wanted.name, dict(each), self._zone) for each in found]
            if rows:
                after = rows[-1].id
                yield rows
            if len(rows) < size:
                return

    def _known_columns(self, wanted: SourceTable) -> list[str]:
        nothing: Select[Any] = select(text("*")).select_from(table(wanted.name)).where(false())
        there = set(self._connection.execute(nothing).keys())
        missing = [name for name in wanted.required if name not in there]
        if missing:
            raise InvalidInput(
                f"DATABASE_URL: {wanted.name} has no column {missing[0]}: this is not the schema "
                "that Laravel AI Metering publishes"
            )
        for name in wanted.optional:
            if name not in there and name not in UNUSUAL:
                self.lacks.append(f"{wanted.name} has no column {name}: taken as empty")
        return [name for name in (*wanted.required, *wanted.optional) if name in there]


def rows_after(name: str, columns: list[str], size: int) -> Select[Any]:
    """The next ``size`` rows behind the id ``after``, every column as text."""
    theirs = table(
        name, column("id", BigInteger), *(column(each) for each in columns if each != "id")
    )
    texts: list[Any] = [cast(theirs.c[each], String).label(each) for each in columns]
    # Named with its table: a bare id would be the text.
    return select(*texts).where(theirs.c.id > bindparam("after")).order_by(theirs.c.id).limit(size)


@contextmanager
def open_source(address: str, zone: tzinfo) -> Iterator[Source]:
    """``zone``: in which the application stores its times.

    Raises InvalidInput for what is no database of the package, ConfigurationError without the
    driver, DatabaseError where it cannot be reached. Passwords stand in no error.
    """
    url = _url(address)
    engine = _engine(url)
    try:
        try:
            connection = engine.connect()
        except (DBAPIError, sqlite3.Error) as error:
            raise _unreachable(url, error) from None
        with connection:
            try:
                _read_only(connection)
                source = Source(connection, zone)
            except DBAPIError as error:
                raise _unreachable(url, error) from None
            yield source
    finally:
        engine.dispose()


def safe_url(address: str) -> str:
    """The URL as it may be shown: without its password and options."""
    return _shown(_url(address))


def _url(address: str) -> URL:
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise InvalidInput("DATABASE_URL: this is not a database URL", hint=_EXPECTED) from None
    return url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))


def _shown(url: URL) -> str:
    return url.set(password=None, query={}).render_as_string()


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "sqlite":
        file = _file(url)
        return create_engine("sqlite://", creator=lambda: _sqlite(file), poolclass=NullPool)
    try:
        return create_engine(url, poolclass=NullPool, hide_parameters=True)
    except (ImportError, NoSuchModuleError):
        driver = url.drivername.partition("+")[2] or url.drivername
        raise ConfigurationError(
            f"the driver for {url.drivername} is not installed",
            hint=f"pip install {_EXTRAS.get(driver, driver)}",
        ) from None


def _file(url: URL) -> Path:
    file = Path(url.database or "")
    if not file.is_file():
        raise InvalidInput(f"DATABASE_URL: {file} is not a file", hint=_EXPECTED)
    return file


def _sqlite(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{quote(str(file.resolve()))}?mode=ro", uri=True)
    connection.text_factory = lambda raw: raw.decode(errors="backslashreplace")
    return connection


def _read_only(connection: Connection) -> None:
    """One snapshot for all that is read, in which nothing can be written."""
    kind = connection.dialect.name
    if kind == "sqlite":
        connection.exec_driver_sql("BEGIN")
    elif kind == "postgresql":
        connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    elif kind in ("mysql", "mariadb"):
        connection.exec_driver_sql("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.exec_driver_sql("SET SESSION TRANSACTION READ ONLY")
        connection.commit()


def _unreachable(url: URL, error: Exception) -> DatabaseError:
    reason = str(getattr(error, "orig", error)).strip().splitlines()
    told = reason[0] if reason else type(error).__name__
    return DatabaseError(
        f"cannot read the database {_shown(url)}: {told}",
        hint="Check DATABASE_URL (or AIMETER_IMPORT_URL), and that the server is up.",
    )
