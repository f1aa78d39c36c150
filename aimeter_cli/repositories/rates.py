"""Dated conversion rates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from aimeter_cli.domain.rates import Rate
from aimeter_cli.models.rates import RateRow


def rate_series(session: Session, base: str, quote: str) -> list[Rate]:
    """Every stored rate of exactly this pair, oldest first."""
    rows = session.exec(
        select(RateRow)
        .where(RateRow.base == base, RateRow.quote == quote)
        .order_by(col(RateRow.effective_at))
    )
    return [Rate(row.base, row.quote, row.value, row.effective_at, row.source) for row in rows]


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
