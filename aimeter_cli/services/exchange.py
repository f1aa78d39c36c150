"""Conversions at a moment: dated rates of the database before those of the configuration."""

from __future__ import annotations

from bisect import bisect_right, insort
from datetime import datetime

from sqlmodel import Session

from aimeter_cli.domain.rates import IDENTITY, Conversion, Rate, find_conversion
from aimeter_cli.repositories.rates import RateSpan, rate_span
from aimeter_cli.settings.table import Settings

CONFIGURED = "configuration"


class Exchange:
    """Looks rates up in one transaction; asks once for as long as a rate is the newest."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self._session = session
        self._settings = settings
        self._spans: dict[tuple[str, str], list[RateSpan]] = {}

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
        span = self._span(base, quote, at)
        if span.rate is not None and at - span.start <= self._settings.rate_max_age:
            return span.rate
        configured = self._settings.currency_rates.get(f"{base}_{quote}")
        return Rate(base, quote, configured, None, CONFIGURED) if configured else span.rate

    def _span(self, base: str, quote: str, at: datetime) -> RateSpan:
        known = self._spans.setdefault((base, quote), [])
        position = bisect_right(known, at, key=_start)
        if position and at < known[position - 1].end:
            return known[position - 1]
        span = rate_span(self._session, base, quote, at)
        insort(known, span, key=_start)
        return span


def _start(span: RateSpan) -> datetime:
    return span.start
