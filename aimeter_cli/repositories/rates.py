"""Dated conversion rates."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session, col, select

from aimeter_cli.domain.rates import Rate
from aimeter_cli.models.rates import RateRow


def newest_rate(session: Session, base: str, quote: str, at: datetime) -> Rate | None:
    """The rate of exactly this pair that was in force at ``at``."""
    row = session.exec(
        select(RateRow)
        .where(RateRow.base == base, RateRow.quote == quote, col(RateRow.effective_at) <= at)
        .order_by(col(RateRow.effective_at).desc())
        .limit(1)
    ).first()
    if row is None:
        return None
    return Rate(row.base, row.quote, row.value, row.effective_at, row.source)
