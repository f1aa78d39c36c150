"""Rows that an import made of another system's: found again by its ids, and read back. Money in
nanos."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Table,
    bindparam,
    cast,
    column,
    func,
    insert,
    select,
    text,
    true,
    type_coerce,
    update,
)
from sqlmodel import Session

from aimeter_cli.db.prepared import Prepared, Row
from aimeter_cli.db.types import UTCDateTime
from aimeter_cli.domain.pricing import TOKEN_FIELDS
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.imported_rows import ImportedRow
from aimeter_cli.models.overages import Overage
from aimeter_cli.models.usages import UsageCounter, UsageDay
from aimeter_cli.models.wallets import CreditGrant, CreditTransaction, CreditWallet


def _given(table: Table) -> dict[str, Any]:
    """Every column but the key that the database makes, as a parameter."""
    return {
        each.name: bindparam(each.name, type_=each.type) for each in table.c if each.name != "id"
    }


_rows = table_of(ImportedRow)
_overages = table_of(Overage)
_days = table_of(UsageDay)
_entries = table_of(CreditTransaction)
_wallets = table_of(CreditWallet)
_grants = table_of(CreditGrant)
_counters = table_of(UsageCounter)
_LOCK = 7_201_955_111
_ENTRIES = {
    dialect: text(
        "SELECT idempotency_key, fingerprint, amount FROM ai_credit_transactions"
        f" WHERE idempotency_key IN ({keys})"
    ).columns(column("idempotency_key"), column("fingerprint"), column("amount"))
    for dialect, keys in (
        ("sqlite", "SELECT value FROM json_each(:keys)"),
        ("postgresql", "SELECT json_array_elements_text(CAST(:keys AS json))"),
    )
}

_REMEMBER = Prepared(insert(_rows).values(_given(_rows)))
_ADD_OVERAGE = Prepared(insert(_overages).values(_given(_overages)).returning(_overages.c.id))
_NO_OVERAGE = dict.fromkeys(_given(_overages))
_ADD_CHARGE = Prepared(insert(_days).values(_given(_days)))
_NO_USE: dict[str, Any] = {
    **dict.fromkeys(_given(_days)), **dict.fromkeys(TOKEN_FIELDS, 0), "requests": 0,
    "cost": Decimal(0), "plan_cost": Decimal(0),
}  # fmt: skip
_OPEN_OVERAGE = Prepared(
    select(_overages.c.id).where(
        _overages.c.counter_id == bindparam("counter"),
        _overages.c.subscription_id == bindparam("subscription"),
        text("ai_overages.status = 'open'"),
    )
)
_WALLET = select(
    _wallets.c.id, _wallets.c.currency, type_coerce(_wallets.c.balance, BigInteger).label("balance")
).with_for_update(key_share=True)
_WALLET_BY_ID = Prepared(_WALLET.where(_wallets.c.id == bindparam("wallet")))
_WALLET_OF = Prepared(_WALLET.where(_wallets.c.billable_id == bindparam("billable")))
_GRANTS_LEFT = Prepared(
    select(
        _grants.c.id, _grants.c.transaction_id,
        type_coerce(_grants.c.amount, BigInteger).label("amount"),
        type_coerce(_grants.c.remaining, BigInteger).label("remaining"), _grants.c.created_at,
    )
    .where(_grants.c.wallet_id == bindparam("wallet"), text("remaining > 0"))
    .order_by(_grants.c.expires_at.is_(None), _grants.c.expires_at, _grants.c.id)
)  # fmt: skip
_ADD_GRANT = Prepared(insert(_grants).values(_given(_grants)))
_MARK_COUNTER = Prepared(
    update(_counters)
    .where(_counters.c.id == bindparam("counter"))
    .values(
        is_adjusted=true(),
        approached_at=func.coalesce(
            _counters.c.approached_at, bindparam("approached", type_=UTCDateTime())
        ),
        reached_at=func.coalesce(_counters.c.reached_at, bindparam("reached", type_=UTCDateTime())),
    )
)


class Known(NamedTuple):
    """Our row, and what theirs said when it was imported."""

    row_id: int
    fingerprint: str


class StoredEntry(NamedTuple):
    """An entry of a ledger, by its key."""

    fingerprint: str
    amount: int


def one_import_at_a_time(session: Session) -> None:
    """Until the transaction ends. SQLite has one writer anyway."""
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:k)"), {"k": _LOCK})


def imported(session: Session, kind: str, source_ids: Iterable[int]) -> dict[int, Known]:
    """Those of these rows of theirs that were imported."""
    query = select(_rows.c.source_id, _rows.c.row_id, _rows.c.fingerprint).where(
        _rows.c.kind == kind, _rows.c.source_id.in_(list(source_ids))
    )
    rows = session.connection().execute(query)
    return {row.source_id: Known(row.row_id, row.fingerprint) for row in rows}


def remember(
    session: Session, kind: str, source_id: int, row_id: int, fingerprint: str, now: datetime
) -> None:
    """That ``row_id`` was made of their row."""
    row = {
        "kind": kind, "source_id": source_id, "row_id": row_id, "fingerprint": fingerprint,
        "imported_at": now,
    }  # fmt: skip
    _REMEMBER.run(session, [row])


def add_overage(session: Session, **values: Any) -> int:
    """Columns of ``ai_overages``, money as Decimals; the id."""
    [row] = _ADD_OVERAGE.rows(session, **_NO_OVERAGE | values)
    return int(row["id"])


def has_open_overage(session: Session, counter_id: int, subscription_id: int) -> bool:
    found = _OPEN_OVERAGE.first(session, counter=counter_id, subscription=subscription_id)
    return found is not None


def add_charge(session: Session, **values: Any) -> None:
    """What an overage was charged for, by usages of which nothing else is known: a daily sum of
    charges alone."""
    _ADD_CHARGE.run(session, [_NO_USE | values])


def imported_charges(session: Session, overage_ids: Sequence[int], provider: str) -> dict[int, int]:
    """What the daily sums of this provider charge, by overage."""
    query = (
        select(_days.c.overage_id, _sum(_days.c.charge))
        .where(_days.c.overage_id.in_(overage_ids), _days.c.provider == provider)
        .group_by(_days.c.overage_id)
    )
    return {row[0]: int(row[1]) for row in session.connection().execute(query)}


def entries_by_key(session: Session, keys: Sequence[str]) -> Mapping[str, StoredEntry]:
    """Entries of ledgers that are there already."""
    connection = session.connection()
    rows = connection.execute(_ENTRIES[connection.dialect.name], {"keys": json.dumps(keys)})
    return {row[0]: StoredEntry(row[1], int(row[2])) for row in rows}


def imported_into_wallets(session: Session, prefix: str) -> dict[int, int]:
    """The sum of the entries whose keys begin with ``prefix``, by wallet."""
    query = (
        select(_entries.c.wallet_id, _sum(_entries.c.amount))
        .where(_entries.c.idempotency_key.startswith(prefix, autoescape=True))
        .group_by(_entries.c.wallet_id)
    )
    return {row[0]: int(row[1]) for row in session.connection().execute(query)}


def wallet_by_id(session: Session, wallet_id: int) -> Row:
    """``id``, ``currency`` and ``balance`` of a wallet, locked: nobody spends from it meanwhile."""
    [found] = _WALLET_BY_ID.rows(session, wallet=wallet_id)
    return found


def wallet_of(session: Session, billable_id: int) -> Row | None:
    """The same of the one that a billable has."""
    return _WALLET_OF.first(session, billable=billable_id)


def grants_left(session: Session, wallet_id: int) -> Sequence[Row]:
    """``id transaction_id amount remaining created_at`` of the grants that are not spent, in the
    order of spending."""
    return _GRANTS_LEFT.rows(session, wallet=wallet_id)


def add_grants(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Columns of ``ai_credit_grants``, money as Decimals."""
    _ADD_GRANT.run(session, rows)


def mark_counters(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """That ``counter`` was imported into, and what of it need not be told any more:
    ``approached`` and ``reached``, times or None."""
    _MARK_COUNTER.run(session, rows)


def count_entries(session: Session, wallet_id: int, prefix: str) -> int:
    """Entries of a wallet whose keys begin with ``prefix``."""
    query = select(func.count()).where(
        _entries.c.wallet_id == wallet_id,
        _entries.c.idempotency_key.startswith(prefix, autoescape=True),
    )
    return int(session.connection().execute(query).scalar_one())


def _sum(column: Any) -> Any:
    return cast(func.sum(type_coerce(column, BigInteger)), BigInteger)
