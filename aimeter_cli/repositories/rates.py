"""Dated conversion rates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    Subquery,
    UnaryExpression,
    and_,
    bindparam,
    func,
    literal_column,
    or_,
    text,
    tuple_,
    union_all,
)
from sqlalchemy import select as core_select
from sqlmodel import Session, col, select

from aimeter_cli.db.prepared import Prepared
from aimeter_cli.domain.rates import Rate
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.overages import UNSENT, Overage
from aimeter_cli.models.rates import HeldRate, RateRow

Pair = tuple[str, str]
"""Base and quote."""

_rates = table_of(RateRow)
_since = _rates.c.effective_at
_overages = table_of(Overage)


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


def rate_rows(
    session: Session, pairs: Iterable[Pair], *, since: datetime | None = None
) -> Sequence[RateRow]:
    """The stored rates of exactly these pairs, newest first."""
    query = select(RateRow).where(_of(RateRow, pairs))
    if since is not None:
        query = query.where(RateRow.effective_at >= since)
    return session.exec(query.order_by(col(RateRow.effective_at).desc())).all()


def held_rates(session: Session, pairs: Iterable[Pair] | None = None) -> Sequence[HeldRate]:
    """The held rates of exactly these pairs, or all, newest first."""
    query = select(HeldRate)
    if pairs is not None:
        query = query.where(_of(HeldRate, pairs))
    return session.exec(
        query.order_by(col(HeldRate.effective_at).desc(), HeldRate.base, HeldRate.quote)
    ).all()


def newest_rates(session: Session, at: datetime) -> list[Rate]:
    """The newest stored rate of every pair at ``at``, by pair: two steps in an index for each."""
    spans = (rate_span(session, base, quote, at) for base, quote in _pairs(session))
    return [span.rate for span in spans if span.rate is not None]


def _pairs(session: Session) -> Iterator[Pair]:
    pair = select(RateRow.base, RateRow.quote).order_by(RateRow.base, RateRow.quote).limit(1)
    found = session.exec(pair).first()
    while found is not None:
        yield found[0], found[1]
        after = tuple_(_rates.c.base, _rates.c.quote) > tuple_(*found)
        found = session.exec(pair.where(after)).first()


def rates_around(session: Session, pair: Pair, start: datetime, end: datetime) -> list[RateRow]:
    """The stored rates of exactly this pair that hold at some time in ``[start, end]``."""
    before = (
        core_select(func.max(_since))
        .where(_rates.c.base == pair[0], _rates.c.quote == pair[1], _since <= start)
        .scalar_subquery()
    )
    return list(
        session.exec(
            select(RateRow).where(
                _of(RateRow, [pair]),
                RateRow.effective_at <= end,
                RateRow.effective_at >= func.coalesce(before, start, type_=_since.type),
            )
        )
    )


def lock_rates(session: Session) -> None:
    """No other transaction stores rates until this one ends; they are read as before."""
    if session.connection().dialect.name == "postgresql":
        session.connection().execute(text("LOCK TABLE ai_rates IN SHARE ROW EXCLUSIVE MODE"))


def overages_without_rate(session: Session) -> int:
    """How many wait as ``needs_rate``."""
    waiting = text(UNSENT), _overages.c.status == "needs_rate"
    return session.connection().execute(core_select(func.count()).where(*waiting)).scalar_one()


def _of(model: type[RateRow | HeldRate], pairs: Iterable[Pair]) -> ColumnElement[bool]:
    return or_(*(and_(col(model.base) == base, col(model.quote) == quote) for base, quote in pairs))
