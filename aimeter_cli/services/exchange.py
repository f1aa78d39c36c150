"""Conversions at a moment: dated rates of the database before those of the configuration."""

from __future__ import annotations

from bisect import bisect_right
from datetime import datetime

from sqlmodel import Session

from aimeter_cli.domain.rates import IDENTITY, Conversion, Rate, find_conversion
from aimeter_cli.repositories.rates import rate_series
from aimeter_cli.settings.table import Settings

CONFIGURED = "configuration"


class Exchange:
    """Looks rates up in one transaction; reads each pair's history once."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self._session = session
        self._settings = settings
        self._series: dict[tuple[str, str], list[Rate]] = {}

    def conversion(self, base: str, quote: str, at: datetime) -> Conversion:
        """How to convert ``base`` into ``quote`` at ``at``. Raises NoRate; never 1:1."""
        if base == quote:
            return IDENTITY
        return find_conversion(
            base,
            quote,
            at=at,
            through=self._settings.currency,
            max_age=self._settings.rate_max_age,
            lookup=lambda a, b: self._rate(a, b, at),
        )

    def _rate(self, base: str, quote: str, at: datetime) -> Rate | None:
        if (base, quote) not in self._series:
            self._series[base, quote] = rate_series(self._session, base, quote)
        series = self._series[base, quote]
        position = bisect_right(series, at, key=_effective)
        dated = series[position - 1] if position else None
        if dated is not None and at - _effective(dated) <= self._settings.rate_max_age:
            return dated
        configured = self._settings.currency_rates.get(f"{base}_{quote}")
        return Rate(base, quote, configured, None, CONFIGURED) if configured else dated


def _effective(rate: Rate) -> datetime:
    assert rate.effective_at is not None, "stored rates are dated"  # noqa: S101
    return rate.effective_at
