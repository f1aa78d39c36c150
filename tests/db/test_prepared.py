"""Prepared statements say and raise what SQLAlchemy's own do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import bindparam, column, insert, select, text, update
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError, StatementError
from sqlmodel import Session

from aimeter_cli.db.engine import Database
from aimeter_cli.db.prepared import Prepared, copy_in, execute_many
from aimeter_cli.db.types import UTCDateTime
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.plans import Plan
from aimeter_cli.models.usages import UsageCounter

NOW = datetime(2026, 11, 15, 12, 30, 0, 250_000, tzinfo=UTC)
_billables, _plans, _counters = table_of(Billable), table_of(Plan), table_of(UsageCounter)
_BY_START = (
    select(_counters, _plans.c.slug.label("plan"))
    .join(_plans, _plans.c.id == _counters.c.plan_id)
    .where(_counters.c.period_start == bindparam("start"), _counters.c.is_trial.is_(False))
    .where(_plans.c.slug != "archived")
)
_MARK = update(_counters).where(_counters.c.id == bindparam("which")).values(cost=bindparam("new"))


def _counter(session: Session) -> None:
    connection = session.connection()
    made: dict[str, Any] = {"created_at": NOW, "updated_at": NOW}
    connection.execute(insert(_billables), {"type": "user", "external_id": "42", "created_at": NOW})
    connection.execute(
        insert(_plans),
        {"slug": "pro", "name": "100 % %(name)s ?", "currency": "usd", "features": [], **made},
    )
    connection.execute(
        insert(_counters),
        {
            "billable_id": 1, "plan_id": 1, "period_start": NOW,
            "period_end": NOW + timedelta(days=30), "currency": "usd", "overage_behavior": "block",
            "overage_markup": Decimal("1.250"), "cost": Decimal("0.000000007"), "reached_at": NOW,
        },
    )  # fmt: skip


def test_rows_are_those_of_sqlalchemy_type_by_type(any_database: Database) -> None:
    with any_database.write() as session:
        _counter(session)
        expected = session.connection().execute(_BY_START, {"start": NOW}).mappings().one()
        [found] = Prepared(_BY_START).rows(session, start=NOW)
    assert found == dict(expected)
    assert [type(value) for value in found.values()] == [type(each) for each in expected.values()]
    assert found["cost"] == Decimal("0.000000007")
    assert found["overage_markup"] == Decimal("1.250")
    assert (found["period_start"], found["approached_at"], found["is_trial"]) == (NOW, None, False)


def test_it_belongs_to_the_session_s_transaction(any_database: Database) -> None:
    mark = Prepared(_MARK)
    with any_database.write() as session:
        _counter(session)
    with any_database.write(dry_run=True) as session:
        mark.run(session, [{"which": 1, "new": Decimal(7)}])
        assert Prepared(_BY_START).rows(session, start=NOW)[0]["cost"] == Decimal(7)
    with any_database.write() as session:
        assert Prepared(_BY_START).rows(session, start=NOW)[0]["cost"] == Decimal("0.000000007")
        mark.run(session, [{"which": 1, "new": Decimal(n)} for n in (8, 9)])
    with any_database.read() as session:
        assert Prepared(_BY_START).rows(session, start=NOW)[0]["cost"] == Decimal(9)


def test_the_first_row_or_none(any_database: Database) -> None:
    query = Prepared(text("SELECT 7 AS n WHERE 1 = :one").columns(column("n")))
    with any_database.read() as session:
        assert query.first(session, one=1) == {"n": 7}
        assert query.first(session, one=2) is None


def test_a_driver_s_error_is_raised_in_sqlalchemy_s_class(any_database: Database) -> None:
    with any_database.write() as session:
        _counter(session)
    mark = "?" if any_database.is_sqlite else "%s"
    add = (
        f"INSERT INTO ai_billables (type, external_id, created_at) VALUES ('user', {mark}, {mark})"
    )
    rows = [["7", "2026-11-15"], ["42", "2026-11-15"]]
    for some in (rows, rows[1:]):
        with any_database.write() as session, pytest.raises(IntegrityError, match="external_id"):
            execute_many(session.connection(), add, some)
    if not any_database.is_sqlite:
        columns = ("type", "external_id", "created_at")
        with any_database.write() as session, pytest.raises(IntegrityError, match="external_id"):
            copy_in(session.connection(), "ai_billables", columns, [["user", *rows[1]]])
    unknown = Prepared(text("SELECT n FROM nowhere").columns(column("n")))
    with any_database.write() as session, pytest.raises((OperationalError, ProgrammingError)):
        unknown.rows(session)


def test_a_parameter_that_is_missing_or_naive_is_refused(any_database: Database) -> None:
    query = Prepared(_BY_START)
    with any_database.read() as session:
        with pytest.raises(KeyError, match="start"):
            query.rows(session)
        with pytest.raises((ValueError, StatementError), match="naive"):
            query.rows(session, start=datetime(2026, 11, 15))  # noqa: DTZ001


def test_pitfall_18_both_hours_of_a_clock_that_is_put_back_are_kept_apart(
    database: Database,
) -> None:
    """They are equal to Python, as PostgreSQL's driver gives them in the server's time zone."""
    first = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    told = Prepared(select(bindparam("at", type_=UTCDateTime()).label("at")))
    with database.read() as session:
        hours = [told.rows(session, at=first.replace(fold=fold))[0]["at"].hour for fold in (0, 1)]
    assert hours == [0, 1]
