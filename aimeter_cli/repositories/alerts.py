"""Alerts: opened once, kept, closed; and wallets that run low."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import Row, and_, delete, func, or_, select, text, true, update
from sqlmodel import Session

from aimeter_cli.db.upsert import insert_into
from aimeter_cli.models.alerts import Alert
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.wallets import CreditWallet

KEPT = timedelta(days=400)
alerts = table_of(Alert)
_wallets, _billables = table_of(CreditWallet), table_of(Billable)
_OPEN = text("closed_at IS NULL")


class LowWallet(NamedTuple):
    """``billable`` is TYPE:ID; ``updated_at``: when its balance changed last."""

    billable_id: int
    billable: str
    currency: str
    balance: Decimal
    updated_at: datetime


def open_alerts(session: Session) -> Sequence[Row[Any]]:
    """Every open one, oldest first."""
    query = select(alerts).where(_OPEN).order_by(alerts.c.id)
    return session.connection().execute(query).all()


def listed(session: Session, *, closed_too: bool, limit: int) -> Sequence[Row[Any]]:
    """The newest first."""
    query = select(alerts).order_by(alerts.c.id.desc()).limit(limit)
    return session.connection().execute(query if closed_too else query.where(_OPEN)).all()


def count_open(session: Session) -> list[tuple[str, str, int]]:
    """(name, kind, count) of what is open."""
    alike = (alerts.c.name, alerts.c.kind)
    query = select(*alike, func.count()).where(_OPEN).group_by(*alike).order_by(*alike)
    return [(row[0], row[1], row[2]) for row in session.connection().execute(query)]


def open_alert(session: Session, values: Mapping[str, Any]) -> bool:
    """Whether it was not open already: of several processes only one is told so."""
    connection = session.connection()
    add = insert_into(connection.dialect.name, alerts).values(**values)
    added = add.on_conflict_do_nothing().returning(alerts.c.id)
    return connection.execute(added).first() is not None


def change(session: Session, seen: Row[Any], values: Mapping[str, Any]) -> bool:
    """Change an open alert. False: somebody has changed it since it was ``seen``."""
    same = (
        alerts.c.id == seen.id,
        alerts.c.last_told_at == seen.last_told_at,
        alerts.c.gone_at.is_not_distinct_from(seen.gone_at),
        _OPEN,
    )
    done = session.connection().execute(update(alerts).where(*same).values(**values))
    return bool(done.rowcount)


def forget_old(session: Session, now: datetime) -> None:
    """Delete what was closed long ago."""
    session.connection().execute(delete(alerts).where(alerts.c.closed_at < now - KEPT))


def low_wallets(session: Session, limits: Mapping[str, Decimal]) -> list[LowWallet]:
    """Wallets whose balance is below the limit of their currency; that of ``""`` is for any.

    Nobody is told of billables that have been anonymised.
    """
    w = _wallets.c
    below = [
        and_(w.currency == currency if currency else true(), w.balance < limit)
        for currency, limit in limits.items()
    ]
    query = (
        select(
            w.billable_id, _billables.c.type + ":" + _billables.c.external_id, w.currency,
            w.balance, w.updated_at,
        )
        .select_from(_wallets.join(_billables, _billables.c.id == w.billable_id))
        .where(or_(*below), _billables.c.anonymized_at.is_(None))
        .order_by(w.id)
    )  # fmt: skip
    return [LowWallet(*row) for row in session.connection().execute(query)]
