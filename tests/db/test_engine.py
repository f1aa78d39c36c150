"""Transactions commit whole or not at all; money and times come back as they were."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Column, MetaData, Table, func, insert, literal_column, select
from sqlalchemy.exc import IntegrityError, OperationalError, StatementError
from sqlmodel import Session

from aimeter_cli.db.clock import database_now
from aimeter_cli.db.engine import Database
from aimeter_cli.db.types import ExactDecimal, Nanos, UTCDateTime
from aimeter_cli.errors import ConfigurationError, DatabaseError, InvalidInput
from aimeter_cli.models.billables import Billable
from aimeter_cli.settings.secrets import redacted

VALUES = Table(
    "values_of_tests",
    MetaData(),
    Column("amount", Nanos),
    Column("rate", ExactDecimal),
    Column("at", UTCDateTime),
)


@pytest.fixture
def values(any_database: Database) -> Database:
    VALUES.create(any_database.engine)
    return any_database


def _count(session: Session) -> int:
    return session.connection().execute(select(func.count()).select_from(VALUES)).scalar_one()


def _insert(session: Session) -> None:
    session.connection().execute(insert(VALUES).values(amount=Decimal(1)))


def test_a_write_commits_at_the_end_of_its_block(values: Database) -> None:
    with values.write() as session:
        _insert(session)
    with values.read() as session:
        assert _count(session) == 1


def test_what_is_not_committed_is_rolled_back_though_an_object_was_added(
    any_database: Database,
) -> None:
    with any_database.read() as session:
        session.add(Billable(type="user", external_id="1", created_at=datetime.now(UTC)))
        session.flush()
    with any_database.write(dry_run=True) as session:
        kept = Billable(type="user", external_id="2", created_at=datetime.now(UTC))
        session.add(kept)
    assert kept.external_id == "2"
    assert kept.id is not None
    with any_database.read() as session:
        assert session.get(Billable, kept.id) is None


def test_only_writers_of_sqlite_lock_it_and_one_that_cannot_says_so(
    database: Database, tmp_path: Path
) -> None:
    other = sqlite3.connect(tmp_path / "aimeter.db", isolation_level=None, timeout=0)
    with database.read() as session:
        session.connection().exec_driver_sql("PRAGMA busy_timeout = 0")
    with database.write() as session:
        session.connection()
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
    other.execute("BEGIN IMMEDIATE")
    with database.engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
    with database.read() as session:
        session.connection()
    with pytest.raises(OperationalError, match="locked"), database.write() as session:
        session.connection()
    other.close()


def test_an_exception_rolls_everything_back(values: Database) -> None:
    def fail() -> None:
        with values.write() as session:
            _insert(session)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with values.read() as session:
        assert _count(session) == 0


def test_a_dry_run_and_a_read_change_nothing(values: Database) -> None:
    with values.write(dry_run=True) as session:
        _insert(session)
        assert _count(session) == 1
    with values.read() as session:
        _insert(session)
    with values.read() as session:
        assert _count(session) == 0


def test_a_process_that_may_not_write_can_rehearse(values: Database) -> None:
    values.read_only_reason = "not with a live key"
    with pytest.raises(ConfigurationError, match="not with a live key"), values.write():
        pass
    with values.write(dry_run=True) as session:
        _insert(session)


@pytest.mark.parametrize("amount", ["0.000000001", "-0.1", "9223372036.854775807", "0"])
def test_money_is_exact(amount: str, values: Database) -> None:
    with values.write() as session:
        session.connection().execute(insert(VALUES).values(amount=Decimal(amount)))
        stored = session.connection().execute(select(VALUES.c.amount)).scalar_one()
        raw: int = (
            session.connection()
            .execute(select(literal_column("amount")).select_from(VALUES))
            .scalar_one()
        )
    assert stored == Decimal(amount)
    assert raw == int(Decimal(amount).scaleb(9))


@pytest.mark.parametrize("amount", ["0.0000000001", "9223372036.854775808"])
def test_money_that_cannot_be_stored_is_refused(amount: str, values: Database) -> None:
    with (
        pytest.raises((StatementError, InvalidInput)),
        values.write() as session,
    ):
        session.connection().execute(insert(VALUES).values(amount=Decimal(amount)))


def test_rates_keep_every_digit(values: Database) -> None:
    rate = Decimal("0.123456789012345678")
    with values.write() as session:
        session.connection().execute(insert(VALUES).values(rate=rate))
        assert session.connection().execute(select(VALUES.c.rate)).scalar_one() == rate


def test_times_come_back_aware_and_in_utc(values: Database) -> None:
    said = datetime(2026, 11, 1, 12, 0, 0, 123456, timezone(timedelta(hours=2)))
    with values.write() as session:
        session.connection().execute(insert(VALUES).values(at=said))
        stored = session.connection().execute(select(VALUES.c.at)).scalar_one()
    assert stored == said
    assert stored.tzinfo is UTC


def test_a_naive_time_is_refused(values: Database) -> None:
    naive = datetime.fromisoformat("2026-11-01T12:00:00")
    with pytest.raises(StatementError, match="naive"), values.write() as session:
        session.connection().execute(insert(VALUES).values(at=naive))


def test_the_databases_clock_is_aware(any_database: Database) -> None:
    with any_database.read() as session:
        assert database_now(session).tzinfo is UTC


def test_sqlite_is_opened_durably(database: Database) -> None:
    with database.read() as session:
        told = {
            name: session.connection().exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert told == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "database_url is not a database URL"),
        ("mysql://x/y", "database_url: mysql is not supported"),
    ],
)
def test_another_kind_of_database_is_refused(url: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Database(url)
    assert caught.value.message == message


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseError, match="cannot open the database"):
        Database(f"sqlite:///{tmp_path}/file/x.db")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql+psycopg://me:hunter22@127.0.0.1/x", "me:***@127.0.0.1/x"),
        ("postgresql+psycopg://me@/x?password=hunter22&host=h", "me@/x?host=h"),
        ("postgresql+psycopg://me@h/x?sslpassword=hunter22", "me@h/x"),
    ],
)
def test_a_password_is_not_shown(url: str, shown: str) -> None:
    hidden = Database(url)
    assert hidden.safe_url == f"postgresql+psycopg://{shown}"
    hidden.dispose()
    assert "hunter22" not in redacted(f"cannot open {url}")


def test_a_url_with_a_bad_port_is_an_error_of_the_configuration() -> None:
    with pytest.raises(ConfigurationError, match="is not a database URL"):
        Database("postgresql+psycopg://u@h:port/d")


def test_an_error_never_quotes_the_parameters_of_its_statement(any_database: Database) -> None:
    twice = [
        Billable(type="user", external_id="7", email="canary", created_at=datetime.now(UTC))
        for _ in "12"
    ]
    with pytest.raises(IntegrityError) as refused, any_database.write() as session:
        session.add_all(twice)
    assert "canary" not in str(refused.value)
