"""Statements of hot paths: composed once, then run on the driver's own cursor.

Around a statement of a few microseconds SQLAlchemy spends ten times as long. Its engine listeners
are not told of these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine
from sqlmodel import Session

from aimeter_cli.db.types import UTCDateTime

_TIMES = 1024
Row = dict[str, Any]
_Convert = Callable[[Any], Any]
_Values = Sequence[Any] | Mapping[str, Any]


class _Composed(NamedTuple):
    """``binds``: name and conversion of each parameter, in the order of their places where the
    driver takes them by place; ``fixed``: the values that the statement itself has. ``converted``:
    of ``columns``, those that the driver does not give as Python has them."""

    sql: str
    binds: Sequence[tuple[str, _Convert | None]]
    by_name: bool
    fixed: Mapping[str, Any]
    columns: Sequence[str]
    converted: Sequence[tuple[str, _Convert]]


class Prepared:
    """A statement without expanding parameters, whose columns have names of their own."""

    def __init__(self, statement: Any) -> None:
        self._statement = statement
        self._composed: dict[str, _Composed] = {}

    def rows(self, session: Session | Connection, **parameters: Any) -> list[Row]:
        """What it selects or returns. Raises what SQLAlchemy would."""
        connection = _connection(session)
        composed = self._of(connection.dialect)
        found = execute(connection, composed.sql, _values(composed, parameters)).fetchall()
        rows: list[Row] = [dict(zip(composed.columns, row, strict=True)) for row in found]
        for row in rows:
            for name, convert in composed.converted:
                if row[name] is not None:
                    row[name] = convert(row[name])
        return rows

    def first(self, session: Session | Connection, **parameters: Any) -> Row | None:
        """The first of them, None if there is none."""
        found = self.rows(session, **parameters)
        return found[0] if found else None

    def run(self, session: Session | Connection, rows: Iterable[Mapping[str, Any]]) -> None:
        """Once for each row of parameters."""
        connection = _connection(session)
        composed = self._of(connection.dialect)
        execute_many(connection, composed.sql, [_values(composed, row) for row in rows])

    def _of(self, dialect: Dialect) -> _Composed:
        found = self._composed.get(dialect.name)
        if found is None:
            found = self._composed[dialect.name] = _compose(self._statement, dialect)
        return found


def _connection(session: Session | Connection) -> Connection:
    """To ask a session for it costs as much as a short statement."""
    return session if isinstance(session, Connection) else session.connection()


def execute(connection: Connection, sql: str, values: _Values) -> Any:
    """The driver's cursor, after ``sql`` in the driver's own style. Raises as SQLAlchemy does."""
    driver: Any = connection.dialect.dbapi
    cursor = connection.connection.cursor()
    try:
        cursor.execute(sql, values)
    except driver.Error as error:
        raise _known(connection, sql, values, error) from error
    return cursor


def execute_many(connection: Connection, sql: str, rows: Sequence[Any]) -> None:
    """``sql`` for each of the rows."""
    if len(rows) == 1:
        execute(connection, sql, rows[0])
        return
    driver: Any = connection.dialect.dbapi
    try:
        connection.connection.cursor().executemany(sql, rows)
    except driver.Error as error:
        raise _known(connection, sql, rows, error) from error


def copy_in(
    connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """COPY, the quickest way to add many rows to PostgreSQL."""
    driver: Any = connection.dialect.dbapi
    statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
    cursor: Any = connection.connection.cursor()
    try:
        with cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except driver.Error as error:
        raise _known(connection, statement, (), error) from error


def _values(composed: _Composed, parameters: Mapping[str, Any]) -> _Values:
    given = {**composed.fixed, **parameters}
    values = [
        given[name] if convert is None else convert(given[name]) for name, convert in composed.binds
    ]
    if composed.by_name:
        return dict(zip((name for name, _ in composed.binds), values, strict=True))
    return values


def _compose(statement: Any, dialect: Dialect) -> _Composed:
    compiled: Any = statement.compile(dialect=dialect)
    names = compiled.positiontup or list(compiled.binds)
    binds = [(name, _to_driver(compiled.binds[name].type, dialect)) for name in names]
    fixed = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}
    columns = dict(statement.exported_columns.items())
    conversions = [(name, _from_driver(column.type, dialect)) for name, column in columns.items()]
    converted = [(name, convert) for name, convert in conversions if convert is not None]
    by_name = compiled.positiontup is None
    return _Composed(str(compiled), binds, by_name, fixed, tuple(columns), converted)


def _to_driver(kind: TypeEngine[Any], dialect: Dialect) -> _Convert | None:
    return _remembered(kind, kind.dialect_impl(dialect).bind_processor(dialect))


def _from_driver(kind: TypeEngine[Any], dialect: Dialect) -> _Convert | None:
    return _remembered(kind, kind.dialect_impl(dialect).result_processor(dialect, None))


def _remembered(kind: TypeEngine[Any], convert: _Convert | None) -> _Convert | None:
    """Times come again and again, and are dear to convert."""
    if convert is None or not isinstance(kind, UTCDateTime):
        return convert
    known = lru_cache(maxsize=_TIMES)(convert)

    def remembered(value: Any) -> Any:
        # Equal to the hour before it, where a clock is put back.
        return convert(value) if getattr(value, "fold", 0) else known(value)

    return remembered


def _known(connection: Connection, sql: str, values: Any, error: Exception) -> BaseException:
    """A driver's error in SQLAlchemy's class."""
    driver: Any = connection.dialect.dbapi
    return DBAPIError.instance(sql, values, error, driver.Error, dialect=connection.dialect)
