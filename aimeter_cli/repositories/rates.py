"""Dated conversion rates."""

from __future__ import annotations

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
