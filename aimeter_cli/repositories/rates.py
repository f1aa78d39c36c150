"""Dated conversion rates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    Subquery,
    UnaryExpression,
    bindparam,
    literal_column,
    union_all,
)
from sqlalchemy import select as core_select
from sqlmodel import Session, col, select

from aimeter_cli.db.prepared import Prepared
from aimeter_cli.domain.rates import Rate
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.rates import RateRow

_rates = table_of(RateRow)
_since = _rates.c.effective_at


class RateSpan(NamedTuple):
    """``rate`` is the newest of its pair in ``[start, end)``; None before the first one."""

    start: datetime
    end: datetime
    rate: Rate | None


def _first(when: ColumnElement[bool], order: UnaryExpression[datetime]) -> Subquery:
    """The first rate of the pair: one step in the index of ``uq_rate``."""
    return (
        core_select(_rates.c.base, _rates.c.quote, _rates.c.value, _since, _rates.c.source)
        .where(_rates.c.base == bindparam("base"), _rates.c.quote == bindparam("quote"), when)
        .order_by(order)
        .limit(literal_column("1"))
        .subquery()
    )


_AROUND = Prepared(
    union_all(
        core_select(_first(_since <= bindparam("at"), _since.desc())),
        core_select(_first(_since > bindparam("at"), _since.asc())),
    )
)


def rate_span(session: Session, base: str, quote: str, at: datetime) -> RateSpan:
    """The stored rate of exactly this pair at ``at``, and how long it is the newest.

    Reads two rows at the most. Nothing is flushed before.
    """
    span = RateSpan(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC), None)
    for row in _AROUND.rows(session, base=base, quote=quote, at=at):
        since = row["effective_at"]
        if since <= at:
            span = span._replace(start=since, rate=Rate(**row))
        else:
            span = span._replace(end=since)
    return span


def rate_rows(session: Session, base: str, quote: str) -> Sequence[RateRow]:
    """The stored rates of exactly this pair, newest first."""
    return session.exec(
        select(RateRow)
        .where(RateRow.base == base, RateRow.quote == quote)
        .order_by(col(RateRow.effective_at).desc())
    ).all()


def newest_rates(session: Session, at: datetime) -> list[RateRow]:
    """The newest stored rate of every pair at ``at``, by pair."""
    rows = session.exec(
        select(RateRow).where(RateRow.effective_at <= at).order_by(col(RateRow.effective_at))
    )
    newest = {(row.base, row.quote): row for row in rows}
    return [newest[pair] for pair in sorted(newest)]


def rate_at(session: Session, base: str, quote: str, effective_at: datetime) -> RateRow | None:
    """The rate of exactly this pair and time, held until the transaction ends."""
    return session.exec(
        select(RateRow)
        .where(RateRow.base == base, RateRow.quote == quote, RateRow.effective_at == effective_at)
        .with_for_update(key_share=True)
    ).first()
