"""Looking a rate up costs the same however many are stored, and finds what the history says."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, text
from sqlmodel import Session

from aimeter_cli.db import prepared
from aimeter_cli.db.engine import Database
from aimeter_cli.domain.rates import Conversion, NoRate, Rate, find_conversion
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.rates import RateRow
from aimeter_cli.services.exchange import CONFIGURED, Exchange
from aimeter_cli.settings.table import Settings

START = datetime(2026, 11, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
PAIRS = [(a, b) for a in ("usd", "eur", "jpy") for b in ("usd", "eur", "jpy") if a != b]


def _store(session: Session, rates: Iterable[Rate]) -> None:
    names = ("base", "quote", "value", "source", "effective_at")
    rows = [{name: getattr(rate, name) for name in names} | {"created_at": START} for rate in rates]
    if rows:
        session.connection().execute(insert(table_of(RateRow)), rows)


def _hourly(count: int) -> list[Rate]:
    return [
        Rate("usd", "eur", Decimal(n + 1) / 1000, START + n * HOUR, f"n{n}") for n in range(count)
    ]


Found = Conversion | tuple[str, str | None]


def _told(found: Exchange, pair: tuple[str, str], at: datetime) -> Found:
    try:
        return found.conversion(*pair, at)
    except NoRate as error:
        return error.message, error.hint


def _by_history(
    rates: Sequence[Rate], chosen: Settings, pair: tuple[str, str], at: datetime
) -> Found:
    """The same from the whole history of each pair."""

    def lookup(base: str, quote: str) -> Rate | None:
        dated = sorted(
            (rate.effective_at, rate) for rate in rates
            if (rate.base, rate.quote) == (base, quote) and rate.effective_at is not None
        )  # fmt: skip
        position = bisect_right(dated, at, key=lambda each: each[0])
        newest = dated[position - 1] if position else None
        if newest is not None and at - newest[0] <= chosen.rate_max_age:
            return newest[1]
        configured = chosen.currency_rates.get(f"{base}_{quote}")
        if configured is not None:
            return Rate(base, quote, configured, None, CONFIGURED)
        return newest[1] if newest else None

    try:
        return find_conversion(
            *pair, at=at, through=chosen.currency, max_age=chosen.rate_max_age, lookup=lookup
        )
    except NoRate as error:
        return error.message, error.hint


_pairs = st.sampled_from(PAIRS)
_hours = st.integers(0, 30)
_values = st.decimals("0.001", "1000", places=3)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    stored=st.dictionaries(st.tuples(_pairs, _hours), _values, max_size=25),
    configured=st.dictionaries(_pairs, _values, max_size=2),
    max_age=st.integers(0, 12),
    asked=st.lists(
        st.tuples(_pairs, st.integers(-3, 33), st.sampled_from((-1, 0, 1))), min_size=1, max_size=25
    ),
)
@example(  # just as old as a rate may be
    stored={(("usd", "eur"), 5): Decimal(3)},
    configured={("usd", "eur"): Decimal(2)},
    max_age=2,
    asked=[(("usd", "eur"), 7, 0), (("usd", "eur"), 7, 1)],
)
def test_the_conversion_is_that_of_the_whole_history(
    any_database: Database,
    stored: dict[tuple[tuple[str, str], int], Decimal],
    configured: dict[tuple[str, str], Decimal],
    max_age: int,
    asked: list[tuple[tuple[str, str], int, int]],
) -> None:
    rates = [
        Rate(*pair, value, START + hour * HOUR, f"s{hour}")
        for (pair, hour), value in stored.items()
    ]
    chosen = Settings(
        rate_max_age=max_age * HOUR,
        currency_rates={f"{base}_{quote}": value for (base, quote), value in configured.items()},
    )
    with any_database.write(dry_run=True) as session:
        _store(session, rates)
        exchange = Exchange(session, chosen)
        for pair, hour, microseconds in asked:
            at = START + hour * HOUR + timedelta(microseconds=microseconds)
            assert _told(exchange, pair, at) == _by_history(rates, chosen, pair, at)


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What prepared statements ran: text and values."""
    ran: list[tuple[str, Any]] = []
    execute = prepared.execute

    def note(connection: Any, sql: str, values: Any) -> Any:
        ran.append((sql, values))
        return execute(connection, sql, values)

    monkeypatch.setattr(prepared, "execute", note)
    return ran


def test_thousands_of_conversions_ask_once_for_each_rate_that_was_in_force(
    any_database: Database, statements: list[tuple[str, Any]]
) -> None:
    with any_database.write(dry_run=True) as session:
        _store(session, _hourly(50))
        exchange = Exchange(session, Settings())
        minutes = [(n * 7919) % 240 for n in range(3000)]  # four hours, in no order
        found = [exchange.conversion("usd", "eur", START + HOUR / 60 * n) for n in minutes]
    assert [each.factor * 1000 for each in found] == [n // 60 + 1 for n in minutes]
    assert len(statements) == 4 + 1  # of usd/eur, and eur/usd that has none


def _sqlite_steps(database: Database, history: int, at: datetime) -> int:
    """Steps of SQLite's virtual machine in one conversion: it takes some for every row."""
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    with database.write(dry_run=True) as session:
        _store(session, _hourly(history))
        driver: Any = session.connection().connection.dbapi_connection
        driver.set_progress_handler(step, 1)
        Exchange(session, Settings()).conversion("usd", "eur", at)
        driver.set_progress_handler(None, 0)
    return steps


def test_on_sqlite_a_conversion_takes_as_many_steps_after_thousands_of_rates_as_after_few(
    database: Database,
) -> None:
    at = START + 4.5 * HOUR
    assert _sqlite_steps(database, 4000, at) == _sqlite_steps(database, 10, at) > 0


def test_on_postgresql_a_conversion_reads_two_rows_of_thousands(
    pg_database: Database, statements: list[tuple[str, Any]]
) -> None:
    with pg_database.write() as session:
        _store(session, _hourly(4000))
        session.connection().execute(text("ANALYZE ai_rates"))
    with pg_database.read() as session:
        Exchange(session, Settings()).conversion("usd", "eur", START + 2000.5 * HOUR)
        plans = [
            session.connection().exec_driver_sql(
                f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", values
            ).scalar_one()[0]["Plan"]
            for sql, values in list(statements)
        ]  # fmt: skip
    assert [_rows_read(plan) for plan in plans] == [2, 0]


def _rows_read(plan: dict[str, Any]) -> int:
    """By the scans at the leaves: what they gave on and what they threw away."""
    if "Plans" in plan:
        return sum(_rows_read(each) for each in plan["Plans"])
    rows: int = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
    return rows
