"""Writing usages and counters: prepared statements, plain numbers (money is nanos already)."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Executable,
    RowMapping,
    bindparam,
    column,
    exists,
    select,
    text,
    tuple_,
    update,
)
from sqlmodel import Session

from aimeter_cli.db.prepared import Prepared, Row, copy_in, execute_many
from aimeter_cli.db.types import UTCDateTime
from aimeter_cli.db.upsert import insert_into
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.overages import Overage
from aimeter_cli.models.overrides import UsageLimitOverride
from aimeter_cli.models.plans import Plan
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.models.usages import Usage, UsageCounter

usages = table_of(Usage)
counters = table_of(UsageCounter)
overages = table_of(Overage)
_billables = table_of(Billable)
_subscriptions = table_of(Subscription)
_overrides = table_of(UsageLimitOverride)
_plans = table_of(Plan)

USAGE_COLUMNS = tuple(column.name for column in usages.columns if column.name != "id")
SUBSCRIBER = (
    "id", "plan_id", "next_plan_id", "plan_changes_at", "plan_history", "updated_at",
    "billing_mode", "period_type", "period_alignment", "timezone", "period_anchor", "started_at",
    "current_period_start", "current_period_end", "ends_at", "trial_ends_at",
    "grace_period_ends_at", "expired_at", "paused_at", "is_incomplete",
)  # fmt: skip
"""What of a subscription tells to which plan and period a usage belongs."""
TOTALS = ("tokens", "requests", "cost", "excess_token_cost", "excess_request_cost")

_INSERT = {
    dialect: f"INSERT INTO ai_usages ({', '.join(USAGE_COLUMNS)})"
    f" VALUES ({', '.join([mark] * len(USAGE_COLUMNS))})"
    for dialect, mark in (("sqlite", "?"), ("postgresql", "%s"))
}
_MANY = 20
"""From so many rows on, COPY is quicker than INSERT."""
CounterKey = tuple[int, int, datetime, datetime, bool]
"""(billable, plan, period start, period end, whether in a trial)."""

_KNOWN = (
    "id", "idempotency_key", "fingerprint", "overage_id", "charge", "state", "cost", "currency",
)  # fmt: skip
_KNOWN_KEYS = {
    dialect: Prepared(
        text(f"SELECT {', '.join(_KNOWN)} FROM ai_usages WHERE idempotency_key IN ({keys})")
        .columns(*map(column, _KNOWN))
    )
    for dialect, keys in (
        ("sqlite", "SELECT value FROM json_each(:keys)"),
        ("postgresql", "SELECT json_array_elements_text(CAST(:keys AS json))"),
    )
}  # fmt: skip
_COUNTER = Prepared(
    select(counters)
    .where(
        counters.c.billable_id == bindparam("billable"),
        counters.c.plan_id == bindparam("plan"),
        counters.c.period_start == bindparam("start"),
        counters.c.period_end == bindparam("end"),
        counters.c.is_trial == bindparam("trial"),
    )
    .with_for_update(key_share=True)
)
_UPDATE_COUNTER = Prepared(
    update(counters)
    .where(counters.c.id == bindparam("counter"))
    .values({name: bindparam(f"new_{name}", type_=BigInteger()) for name in TOTALS})
)
_HAS_OVERRIDES = (
    exists()
    .where(
        _overrides.c.billable_id == _billables.c.id,
        _overrides.c.ends_at > bindparam("since", type_=UTCDateTime()),
    )
    .label("has_overrides")
)
_ALL_ACCOUNTS = (
    select(
        _billables.c.type,
        _billables.c.external_id,
        _billables.c.id.label("billable_id"),
        *(_subscriptions.c[name] for name in SUBSCRIBER),
        _HAS_OVERRIDES,
    )
    .select_from(
        _billables.outerjoin(_subscriptions, _subscriptions.c.billable_id == _billables.c.id)
    )
    .order_by(_subscriptions.c.started_at.desc(), _subscriptions.c.id.desc())
)
_NAMES = tuple_(_billables.c.type, _billables.c.external_id)
_ACCOUNTS = _ALL_ACCOUNTS.where(_NAMES.in_(bindparam("billables", expanding=True)))
_ACCOUNT = Prepared(
    _ALL_ACCOUNTS.where(
        _billables.c.type == bindparam("type"), _billables.c.external_id == bindparam("external_id")
    )
)
_PLANS = select(_plans).where(_plans.c.id.in_(bindparam("plans", expanding=True)))


def known_keys(session: Session, keys: Sequence[str]) -> dict[str, Row]:
    """Usages that are there already, by idempotency key. ``charge`` and ``cost`` are in nanos."""
    query = _KNOWN_KEYS[session.connection().dialect.name]
    return {row["idempotency_key"]: row for row in query.rows(session, keys=json.dumps(keys))}


def others_may_write(session: Session) -> bool:
    """Whether other writers go on while this transaction does. On SQLite it holds the one lock."""
    return session.connection().dialect.name != "sqlite"


def time_storage(session: Session) -> Callable[[str], str]:
    """How the driver of this database takes a time in UTC, ``2026-10-31T12:00:00[.000000]Z``."""
    return _sqlite_time if session.connection().dialect.name == "sqlite" else str


def _sqlite_time(stamp: str) -> str:
    return f"{stamp[:10]} {stamp[11:19]}.{stamp[20:26] or '000000'}"


def insert_usages(session: Session, rows: Sequence[tuple[Any, ...]]) -> None:
    """Rows in the order of ``USAGE_COLUMNS``, as the driver takes them, money in nanos.

    Raises IntegrityError if another writer used one of the keys meanwhile.
    """
    connection = session.connection()
    if connection.dialect.name == "postgresql" and len(rows) >= _MANY:
        copy_in(connection, "ai_usages", USAGE_COLUMNS, rows)
    else:
        execute_many(connection, _INSERT[connection.dialect.name], rows)


def account_rows(
    session: Session, billables: Sequence[BillableRef], since: datetime
) -> Sequence[Mapping[Any, Any]]:
    """Those of these billables that there are, with every subscription that they ever had, the
    latest started first; ``id`` is None where a billable has none.

    ``has_overrides``: whether it has limit overrides that end after ``since``.
    """
    if len(billables) == 1:
        [ref] = billables
        return _ACCOUNT.rows(session, type=ref.type, external_id=ref.id, since=since)
    refs = [(ref.type, ref.id) for ref in billables]
    parameters = {"billables": refs, "since": since}
    return session.connection().execute(_ACCOUNTS, parameters).mappings().all()


def plan_rows(session: Session, plan_ids: Iterable[int]) -> Sequence[RowMapping]:
    return session.connection().execute(_PLANS, {"plans": sorted(plan_ids)}).mappings().all()


def lock_counters(
    session: Session,
    wanted: Collection[CounterKey],
    new_terms: Callable[[CounterKey], Mapping[str, Any]],
) -> dict[CounterKey, Row]:
    """The counters, made where missing with ``new_terms``, locked in one order."""
    found: dict[CounterKey, Row] = {}
    for key in sorted(wanted):
        parameters = dict(zip(("billable", "plan", "start", "end", "trial"), key, strict=True))
        row = _COUNTER.first(session, **parameters)
        if row is None:
            connection = session.connection()
            billable, plan, start, end, trial = key
            values = {
                "billable_id": billable, "plan_id": plan, "period_start": start, "period_end": end,
                "is_trial": trial, "is_adjusted": False,
                **dict.fromkeys(TOTALS, 0), **new_terms(key),
            }  # fmt: skip
            connection.execute(_begin_counter(connection.dialect.name), values)
            [row] = _COUNTER.rows(session, **parameters)
        found[key] = row
    return found


@lru_cache(maxsize=2)
def _begin_counter(dialect: str) -> Executable:
    """Built once, as :func:`_add_to_overage` is."""
    beginning: Executable = insert_into(dialect, counters).on_conflict_do_nothing()
    return beginning


def update_counters(session: Session, totals: Mapping[int, Mapping[str, int]]) -> None:
    """Absolute totals, by counter id, of counters that this transaction has locked."""
    rows = [
        {"counter": counter, **{f"new_{name}": new[name] for name in TOTALS}}
        for counter, new in totals.items()
    ]
    if rows:
        _UPDATE_COUNTER.run(session, rows)


def mark_counter(session: Session, counter_id: int, **marks: Any) -> None:
    """Set ``approached_at``, ``reached_at`` or ``is_adjusted`` of a counter that is locked."""
    session.connection().execute(
        update(counters).where(counters.c.id == counter_id).values(**marks)
    )


def add_to_overage(session: Session, *, late: bool, **values: Any) -> int:
    """Add to the open overage of a (counter, subscription), or begin one; returns its id.

    A late one is ``held``, apart from the open one. ``amount`` is a Decimal.
    """
    connection = session.connection()
    statement = _add_to_overage(connection.dialect.name, late=late)
    return int(connection.execute(statement, values).scalar_one())


@lru_cache(maxsize=4)
def _add_to_overage(dialect: str, *, late: bool) -> Executable:
    """Built once: composing an upsert costs more than executing it."""
    given = (
        "billable_id", "subscription_id", "counter_id", "period_start", "period_end",
        "currency", "tokens", "amount", "updated_at",
    )  # fmt: skip
    where = "status = 'held' AND reason = 'late_usage'" if late else "status = 'open'"
    statement = insert_into(dialect, overages).values(
        {name: bindparam(name, type_=overages.c[name].type) for name in given}
        | {
            "status": "held" if late else "open",
            "reason": "late_usage" if late else None,
            "attempts": 0,
            "created_at": bindparam("updated_at", type_=overages.c.updated_at.type),
        }
    )
    adding: Executable = statement.on_conflict_do_update(
        index_elements=["counter_id", "subscription_id"],
        index_where=text(where),
        set_={
            "amount": overages.c.amount + statement.excluded.amount,
            "tokens": overages.c.tokens + statement.excluded.tokens,
            "updated_at": statement.excluded.updated_at,
        },
    ).returning(overages.c.id)
    return adding
