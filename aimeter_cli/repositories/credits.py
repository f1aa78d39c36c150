"""Wallets, their ledger, grants and holds. Money is in nanos here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    RowMapping,
    bindparam,
    cast,
    exists,
    func,
    insert,
    literal_column,
    select,
    text,
    type_coerce,
    update,
)  # fmt: skip
from sqlmodel import Session

from aimeter_cli.db.types import UTCDateTime
from aimeter_cli.db.upsert import insert_into
from aimeter_cli.domain.credits import Grant
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.usages import UNPAID, Usage
from aimeter_cli.models.wallets import CreditGrant, CreditHold, CreditTransaction, CreditWallet

wallets = table_of(CreditWallet)
entries = table_of(CreditTransaction)
grants = table_of(CreditGrant)
holds = table_of(CreditHold)
_billables = table_of(Billable)
_usages = table_of(Usage)

_SOME = 100
_FIRST_UNPAID, _MORE_UNPAID = 8, 512


def nanos(column: ColumnElement[Any], name: str) -> Any:
    """A money column as its integer."""
    return type_coerce(column, BigInteger).label(name)


def _sum(column: ColumnElement[Any], *where: ColumnElement[bool]) -> Any:
    total = cast(func.coalesce(func.sum(type_coerce(column, BigInteger)), 0), BigInteger)
    return select(total).where(*where).correlate(wallets).scalar_subquery()


_WALLET = wallets.c.id
_AT = bindparam("now", type_=UTCDateTime)
# Written as the partial indexes say it: no planner proves that a parameter implies their condition.
_LEFT: Any = text("remaining > 0")
_OPEN: Any = text("closed_at IS NULL")
_STANDING = (
    select(
        _billables.c.id.label("billable_id"),
        (_billables.c.type + ":" + _billables.c.external_id).label("billable"),
        _billables.c.currency.label("own_currency"),
        _WALLET.label("wallet_id"),
        wallets.c.currency,
        nanos(wallets.c.balance, "balance"),
        _sum(
            grants.c.remaining, grants.c.wallet_id == _WALLET, _LEFT, grants.c.expires_at <= _AT
        ).label("expired"),
        _sum(
            holds.c.amount, holds.c.wallet_id == _WALLET, _OPEN, holds.c.expires_at > _AT
        ).label("held"),
        exists(literal_column("1"))
        .where(_usages.c.billable_id == _billables.c.id, text(UNPAID))
        .correlate(_billables)
        .label("has_unpaid"),
    )
    .select_from(_billables.outerjoin(wallets, wallets.c.billable_id == _billables.c.id))
)  # fmt: skip
_STANDING_OF_ONE = _STANDING.where(_billables.c.id == bindparam("billable"))
_STANDINGS = _STANDING.where(_WALLET.is_not(None)).order_by(_WALLET).limit(bindparam("most"))
_LOCK = (
    select(_WALLET)
    .where(wallets.c.billable_id == bindparam("billable"))
    .with_for_update(key_share=True)
)
_GRANT = (
    select(
        grants.c.id, grants.c.transaction_id, nanos(grants.c.remaining, "remaining"),
        grants.c.expires_at,
    )
    .where(grants.c.wallet_id == bindparam("wallet"), _LEFT)
)  # fmt: skip
_GRANTS = _GRANT.order_by(grants.c.expires_at.is_(None), grants.c.expires_at, grants.c.id)
_SPENDABLE = _GRANTS.limit(_SOME)
_EXPIRED = _GRANTS.where(grants.c.expires_at <= _AT)
_GRANTS_OF = _GRANTS.where(grants.c.transaction_id == bindparam("transaction"))
_SET_REMAINING = (
    update(grants)
    .where(grants.c.id == bindparam("grant"))
    .values(remaining=bindparam("left", type_=BigInteger()))
)
_SET_BALANCE = (
    update(wallets)
    .where(
        bindparam("wallet") == _WALLET,
        type_coerce(wallets.c.balance, BigInteger) == bindparam("before"),
    )
    .values(balance=bindparam("after", type_=BigInteger()), updated_at=_AT)
)
_INSERT = insert(entries).returning(entries.c.id, sort_by_parameter_order=True)
_UNPAID = (
    select(_usages.c.id, nanos(_usages.c.cost, "cost"), _usages.c.currency, _usages.c.occurred_at)
    .where(
        _usages.c.billable_id == bindparam("billable"), text(UNPAID),
        _usages.c.id > bindparam("after"),
    )
    .order_by(_usages.c.id)
    .limit(bindparam("most"))
)  # fmt: skip
_PAY = (
    update(_usages)
    .where(_usages.c.id == bindparam("usage"))
    .values(
        state="priced", plan_cost=bindparam("paid", type_=BigInteger()),
        exchange=bindparam("via"),
    )
)  # fmt: skip
_CLOSE_HOLD = (
    update(holds).where(holds.c.uid == bindparam("hold"), _OPEN).values(closed_at=_AT)
)  # fmt: skip


def make_wallet(session: Session, billable_id: int, currency: str, now: datetime) -> None:
    """Make the billable's wallet unless it has one; safe with any number of writers."""
    connection = session.connection()
    adding = insert_into(connection.dialect.name, wallets).values(
        billable_id=billable_id, currency=currency, balance=0, created_at=now, updated_at=now
    )
    connection.execute(adding.on_conflict_do_nothing())


def lock_wallet(session: Session, billable_id: int) -> bool:
    """Hold the billable's wallet until the transaction ends; False without one."""
    found = session.connection().execute(_LOCK, {"billable": billable_id}).first()
    return found is not None


def standing_row(session: Session, billable_id: int, now: datetime) -> RowMapping | None:
    """The wallet, what of it has expired, what is held; ``wallet_id`` None without one.

    None without the billable.
    """
    values = {"billable": billable_id, "now": now}
    return session.connection().execute(_STANDING_OF_ONE, values).mappings().first()


def standing_rows(session: Session, now: datetime, limit: int) -> Sequence[RowMapping]:
    """The same of every wallet, oldest first."""
    values = {"now": now, "most": limit}
    return session.connection().execute(_STANDINGS, values).mappings().all()


def spendable_grants(session: Session, wallet_id: int) -> list[Grant]:
    """Some of what is left, in the order of spending: soonest expiring first, then the oldest."""
    return _grants(session, _SPENDABLE, wallet=wallet_id)


def expired_grants(session: Session, wallet_id: int, now: datetime) -> list[Grant]:
    """What is left of grants whose time has come."""
    return _grants(session, _EXPIRED, wallet=wallet_id, now=now)


def grants_of(session: Session, wallet_id: int, transaction_id: int) -> list[Grant]:
    """What is left of what an entry brought."""
    return _grants(session, _GRANTS_OF, wallet=wallet_id, transaction=transaction_id)


def _grants(session: Session, statement: Any, **values: Any) -> list[Grant]:
    return [Grant(*row) for row in session.connection().execute(statement, values)]


def add_grant(session: Session, **values: Any) -> None:
    """Columns of ``ai_credit_grants``, money as Decimals."""
    session.connection().execute(insert(grants), values)


def set_remaining(session: Session, remaining: Mapping[int, int]) -> None:
    """By grant id, of a wallet that is locked."""
    if remaining:
        rows = [{"grant": grant, "left": left} for grant, left in remaining.items()]
        session.connection().execute(_SET_REMAINING, rows)


def set_balance(session: Session, wallet_id: int, before: int, after: int, now: datetime) -> bool:
    """False, and nothing is changed, unless the balance is still ``before``."""
    values = {"wallet": wallet_id, "before": before, "after": after, "now": now}
    return session.connection().execute(_SET_BALANCE, values).rowcount == 1


def insert_entries(session: Session, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Append to the ledger, in this order; the ids. Money as Decimals."""
    return list(session.connection().execute(_INSERT, rows).scalars())


def entry_by_key(session: Session, key: str) -> RowMapping | None:
    """Id and fingerprint of the entry with that idempotency key."""
    statement = select(entries.c.id, entries.c.fingerprint).where(entries.c.idempotency_key == key)
    return session.connection().execute(statement).mappings().first()


def reversed_of(session: Session, entry_id: int) -> int:
    """The sum of what undoes an entry."""
    undone = select(
        cast(func.coalesce(func.sum(type_coerce(entries.c.amount, BigInteger)), 0), BigInteger)
    ).where(entries.c.reverses_id == entry_id)
    return int(session.connection().execute(undone).scalar_one())


def unpaid_usages(session: Session, billable_id: int) -> Iterator[Sequence[RowMapping]]:
    """Usages that wait to be paid, oldest first, some at a time: most often there is one."""
    after, most = 0, _FIRST_UNPAID
    while True:
        values = {"billable": billable_id, "after": after, "most": most}
        rows = session.connection().execute(_UNPAID, values).mappings().all()
        if rows:
            yield rows
        if len(rows) < most:
            return
        after, most = rows[-1]["id"], _MORE_UNPAID


def oldest_unpaid(session: Session, billable_id: int) -> RowMapping | None:
    values = {"billable": billable_id, "after": 0, "most": 1}
    return session.connection().execute(_UNPAID, values).mappings().first()


def mark_paid(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """``usage`` (id), ``paid`` (nanos of the wallet's currency), ``via`` (the rate, or None)."""
    session.connection().execute(_PAY, rows)


def add_hold(session: Session, **values: Any) -> None:
    """Columns of ``ai_credit_holds``, money as Decimals."""
    session.connection().execute(insert(holds), values)


def close_hold(session: Session, uid: str, now: datetime) -> None:
    """From now on it counts no more; closing twice does nothing."""
    session.connection().execute(_CLOSE_HOLD, {"hold": uid, "now": now})
