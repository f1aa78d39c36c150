"""Writing usages and counters. Plain numbers go in here: money is nanos already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Insert,
    RowMapping,
    Table,
    bindparam,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col

from aimeter_cli.models.columns import table_of
from aimeter_cli.models.overages import Overage
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.models.usages import Usage, UsageCounter

usages = table_of(Usage)
counters = table_of(UsageCounter)
overages = table_of(Overage)

USAGE_COLUMNS = tuple(column.name for column in usages.columns if column.name != "id")
_TOTALS = ("tokens", "requests", "cost", "excess_token_cost", "excess_request_cost")
_LOOKUP = 400
"""Values in one IN list; SQLite takes at most 32,766 variables, plans grow with them."""


def _raw(table: Table, names: Iterable[str]) -> dict[str, Any]:
    """Bind parameters that take nanos as integers where the column's type takes Decimals."""
    money = {"cost", "plan_cost", "charge", *_TOTALS}
    return {
        name: bindparam(name, type_=BigInteger() if name in money else table.c[name].type)
        for name in names
    }


_INSERT_USAGE: Insert = insert(usages).values(_raw(usages, USAGE_COLUMNS))
_UPDATE_COUNTER = (
    update(counters).where(counters.c.id == bindparam("counter")).values(_raw(counters, _TOTALS))
)


def known_keys(session: Session, keys: Sequence[str]) -> dict[str, RowMapping]:
    """Usages that are there already, by idempotency key."""
    found: dict[str, RowMapping] = {}
    for first in range(0, len(keys), _LOOKUP):
        query = select(
            usages.c.id,
            usages.c.idempotency_key,
            usages.c.fingerprint,
            usages.c.overage_id,
            usages.c.charge,
            usages.c.state,
        ).where(usages.c.idempotency_key.in_(keys[first : first + _LOOKUP]))
        for row in session.connection().execute(query).mappings():
            found[row["idempotency_key"]] = row
    return found


def insert_usages(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Raises IntegrityError if another writer used one of the keys meanwhile."""
    session.connection().execute(_INSERT_USAGE, rows)


def subscriptions_of(
    session: Session, billable_ids: Iterable[int]
) -> dict[int, list[Subscription]]:
    """Every subscription that these billables ever had, the latest started first."""
    found: dict[int, list[Subscription]] = {}
    ids = list(billable_ids)
    for first in range(0, len(ids), _LOOKUP):
        rows = session.exec(_select_subscriptions(ids[first : first + _LOOKUP]))
        for row in rows:
            found.setdefault(row.billable_id, []).append(row)
    return found


def _select_subscriptions(ids: Sequence[int]) -> Any:
    from sqlmodel import select as select_model

    return (
        select_model(Subscription)
        .where(col(Subscription.billable_id).in_(ids))
        .order_by(col(Subscription.started_at).desc(), col(Subscription.id).desc())
    )


def lock_counters(
    session: Session, wanted: Mapping[tuple[int, int, datetime, datetime], Mapping[str, Any]]
) -> dict[tuple[int, int, datetime, datetime], RowMapping]:
    """The counters of (billable, plan, start, end), made where missing, locked in one order.

    The values of ``wanted`` are a new counter's terms.
    """
    connection = session.connection()
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    found: dict[tuple[int, int, datetime, datetime], RowMapping] = {}
    for key in sorted(wanted):
        billable, plan, start, end = key
        query = (
            select(counters)
            .where(
                counters.c.billable_id == billable,
                counters.c.plan_id == plan,
                counters.c.period_start == start,
                counters.c.period_end == end,
            )
            .with_for_update()
        )
        row = connection.execute(query).mappings().first()
        if row is None:
            zero = dict.fromkeys(_TOTALS, 0)
            connection.execute(
                dialect.insert(counters)
                .values(
                    billable_id=billable, plan_id=plan, period_start=start, period_end=end,
                    **zero, **wanted[key],
                )
                .on_conflict_do_nothing()
            )  # fmt: skip
            row = connection.execute(query).mappings().one()
        found[key] = row
    return found


def update_counters(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Absolute totals of counters that this transaction has locked, under the key ``counter``."""
    session.connection().execute(_UPDATE_COUNTER, rows)


def add_to_overage(session: Session, *, late: bool, **values: Any) -> int:
    """Add to the open overage of a (counter, subscription), or begin one; returns its id.

    A late one is ``held``, apart from the open one. ``amount`` is a Decimal.
    """
    connection = session.connection()
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    status, reason = ("held", "late_usage") if late else ("open", None)
    where = "status = 'held' AND reason = 'late_usage'" if late else "status = 'open'"
    statement = dialect.insert(overages).values(
        status=status, reason=reason, attempts=0, created_at=values["updated_at"], **values
    )
    return int(
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["counter_id", "subscription_id"],
                index_where=text(where),
                set_={
                    "amount": overages.c.amount + statement.excluded.amount,
                    "tokens": overages.c.tokens + statement.excluded.tokens,
                    "updated_at": statement.excluded.updated_at,
                },
            ).returning(overages.c.id)
        ).scalar_one()
    )
