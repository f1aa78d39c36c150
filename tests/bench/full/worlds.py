"""Databases with a past. A few large statements fill them, so that a million rows take a minute."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

from sqlalchemy import Integer, String, cast, insert, literal, select, true, update
from sqlmodel import Session

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.money import from_nanos
from aimeter_cli.domain.periods import Period
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.items import InvoiceItem, SyncAttempt
from aimeter_cli.models.overages import Overage
from aimeter_cli.models.plans import Plan
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.models.usages import Usage, UsageCounter

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
CENT_NANOS = 10**7
REST_NANOS = 2 * 10**5

_billables = table_of(Billable)
_subscriptions = table_of(Subscription)
_counters = table_of(UsageCounter)
_items = table_of(InvoiceItem)
_attempts = table_of(SyncAttempt)
_overages = table_of(Overage)
_usages = table_of(Usage)
_TERMS: dict[str, Any] = {
    "currency": "usd", "token_limit": 1000, "overage_behavior": "charge",
    "overage_price_per_1k_tokens": Decimal("0.02"),
}  # fmt: skip
_REQUEST = '{"amount": 1, "currency": "usd", "description": "of the past", "metadata": {}}'


def add_people(session: Session, customers: Sequence[str], *, at_stripe: bool = True) -> None:
    """One plan; for each customer a billable with the same number as its live subscription."""
    made: dict[str, Any] = {"created_at": BEGIN, "updated_at": BEGIN}
    session.add(Plan(id=1, slug="pro", name="Pro", **_TERMS, **made))
    session.flush()
    people = list(enumerate(customers, start=1))
    connection = session.connection()
    connection.execute(
        insert(_billables),
        [
            {"id": n, "type": "user", "external_id": str(n), "stripe_customer_id": customer,
             "created_at": BEGIN}
            for n, customer in people
        ],
    )  # fmt: skip
    connection.execute(
        insert(_subscriptions),
        [
            {"id": n, "billable_id": n, "plan_id": 1, "started_at": BEGIN, "period_anchor": BEGIN,
             "unpaid_invoices": {}, "meta": {},
             "stripe_subscription_id": f"sub_{n}" if at_stripe else None, **made}
            for n, _ in people
        ],
    )  # fmt: skip


def begin_period(session: Session, period: Period) -> None:
    """A counter for everybody."""
    _copy(
        session, _counters, _subscriptions,
        {"billable_id": _subscriptions.c.billable_id, "plan_id": _subscriptions.c.plan_id,
         "period_start": period.start, "period_end": period.end, "overage_markup": Decimal(1),
         **_TERMS},
    )  # fmt: skip


def close_periods(session: Session, periods: Sequence[Period], *, each: int) -> None:
    """``each`` overages of everybody in every period, synced on an item that is closed.

    An overage is a number of cents and REST_NANOS. An item carries its rests, and those carried to
    it, to the next one; after the last period they wait. Together they stay below one cent.
    """
    for number, period in enumerate(periods, start=1):
        begin_period(session, period)
        _close(session, period, each, rests=number * each)
    for before, after in pairwise(periods):
        _carry(session, before, after)


def _close(session: Session, period: Period, each: int, rests: int) -> None:
    ours = _counters.c.period_start == period.start
    run = f"{period.start:%Y%m%d}" + "0" * 16
    uid = literal(run) + cast(_counters.c.billable_id, String)
    cents = each * (each + 1) // 2
    whose = {
        "billable_id": _counters.c.billable_id, "subscription_id": _counters.c.billable_id,
        "period_start": period.start, "period_end": period.end, "currency": "usd",
        "created_at": period.end, "updated_at": period.end,
    }  # fmt: skip
    _copy(
        session, _items, _counters,
        whose | {
            "uid": uid, "status": "closed", "stripe_item_id": literal("ii_") + uid,
            "stripe_invoice_id": literal("in_") + uid, "version": 1, "target_minor": cents,
            "confirmed_minor": cents, "confirmed_version": 1, "final_minor": cents,
            "carry_out": from_nanos(rests * REST_NANOS),
        },
        where=ours,
    )  # fmt: skip
    _copy(
        session, _attempts, _items,
        {"item_id": _items.c.id, "run_id": run, "version": 1, "generation": 0, "kind": "create",
         "amount_minor": cents, "request": _REQUEST, "first_sent_at": period.end,
         "last_sent_at": period.end, "sends": 1, "outcome": "done",
         "idempotency_key": literal("aimeter:") + _items.c.uid + literal(":v1:g0")},
        where=_items.c.period_start == period.start,
    )  # fmt: skip
    same = (_items.c.billable_id == _counters.c.billable_id) & (
        _items.c.period_start == _counters.c.period_start
    )
    number = _numbers(each)
    nanos = number.c.n * CENT_NANOS + REST_NANOS
    _copy(
        session, _overages, _counters.join(_items, same).join(number, true()),
        whose | {
            "counter_id": _counters.c.id, "status": "synced", "tokens": number.c.n * 1000,
            "amount": nanos, "charge_amount": nanos, "charge_currency": "usd", "run_id": run,
            "item_id": _items.c.id, "in_version": 1, "attempts": 1, "synced_at": period.end,
        },
        where=ours,
    )  # fmt: skip


def _carry(session: Session, before: Period, after: Period) -> None:
    """Everybody's rest of a period is part of the next period's item."""
    later = _items.alias("later")
    next_id = select(later.c.id).where(
        later.c.billable_id == _items.c.billable_id, later.c.period_start == after.start
    )
    session.connection().execute(
        update(_items)
        .where(_items.c.period_start == before.start)
        .values(carried_to_id=next_id.scalar_subquery(), carried_in_version=1)
    )


def add_due(session: Session, period: Period, owners: Sequence[int]) -> None:
    """An overage for each mention of a billable, oldest first; its last one is still open."""
    query = select(_counters.c.billable_id, _counters.c.id).where(
        _counters.c.period_start == period.start
    )
    counters = {row[0]: row[1] for row in session.connection().execute(query)}
    last = {owner: turn for turn, owner in enumerate(owners)}
    session.connection().execute(
        insert(_overages),
        [
            {"billable_id": owner, "subscription_id": owner, "counter_id": counters[owner],
             "period_start": period.start, "period_end": period.end, "currency": "usd",
             "status": "open" if last[owner] == turn else "frozen", "tokens": 1000,
             "amount": Decimal("0.0234") + owner, "created_at": period.start,
             "updated_at": period.start}
            for turn, owner in enumerate(owners)
        ],
    )  # fmt: skip


def add_usages(session: Session, period: Period, *, each: int) -> None:
    """So many calls of everybody, at the beginning of the period, counted.

    PostgreSQL does not look up what they refer to: for ten million that takes longer than the rest.
    """
    connection = session.connection()
    if connection.dialect.name != "sqlite":
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
    ours = _counters.c.period_start == period.start
    number = _numbers(each)
    key = literal(f"{period.start:%Y%m%d}-") + cast(_counters.c.id, String) + literal("-")
    _copy(
        session, _usages, _counters.join(number, true()),
        {"idempotency_key": key + cast(number.c.n, String), "fingerprint": "0" * 32,
         "billable_id": _counters.c.billable_id, "subscription_id": _counters.c.billable_id,
         "counter_id": _counters.c.id, "provider": "openai", "model": "gpt-4o-mini",
         "input_tokens": 900, "output_tokens": 100, "cost": Decimal("0.0001"), "currency": "usd",
         "plan_cost": Decimal("0.0001"), "state": "priced", "occurred_at": period.start,
         "recorded_at": period.start},
        where=ours,
    )  # fmt: skip
    connection.execute(
        update(_counters)
        .where(ours)
        .values(tokens=1000 * each, requests=each, cost=Decimal("0.0001") * each)
    )


def tidy(database: Database) -> None:
    """What a database does by itself in quieter hours: statistics, and the log written back."""
    work = ("ANALYZE", "PRAGMA wal_checkpoint(TRUNCATE)") if database.is_sqlite else (
        "VACUUM (ANALYZE)", "CHECKPOINT")  # fmt: skip
    engine = database.engine
    if not database.is_sqlite:
        engine = engine.execution_options(isolation_level="AUTOCOMMIT")
    for statement in work:
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
            connection.commit()


def _copy(
    session: Session, into: Any, source: Any, values: dict[str, Any], where: Any = None
) -> None:
    """INSERT … SELECT; plain values are bound as the column's type, columns are read."""
    columns = [
        value.label(name) if hasattr(value, "label") else literal(value, into.c[name].type)
        for name, value in values.items()
    ]
    query = select(*columns).select_from(source)
    query = query if where is None else query.where(where)
    session.connection().execute(insert(into).from_select(list(values), query))


def _numbers(count: int) -> Any:
    """A table ``n`` of 1 to ``count``."""
    numbers = select(literal(1, Integer).label("n")).cte("numbers", recursive=True)
    return numbers.union_all(select(numbers.c.n + 1).where(numbers.c.n < count))
