"""Conversions at a moment: dated rates of the database before those of the configuration."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session

from aimeter_cli.domain.rates import Conversion, Rate, find_conversion
from aimeter_cli.repositories.rates import newest_rate
from aimeter_cli.settings.table import Settings

CONFIGURED = "configuration"


class Exchange:
    """Looks rates up in one transaction, each pair and day once."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self._session = session
        self._settings = settings
        self._known: dict[tuple[str, str, datetime], Conversion] = {}

    def conversion(self, base: str, quote: str, at: datetime) -> Conversion:
        """How to convert ``base`` into ``quote`` at ``at``. Raises NoRate; never 1:1."""
        key = (base, quote, at)
        if key not in self._known:
            self._known[key] = find_conversion(
                base,
                quote,
                at=at,
                through=self._settings.currency,
                max_age=self._settings.rate_max_age,
                lookup=lambda a, b: self._rate(a, b, at),
            )
        return self._known[key]

    def _rate(self, base: str, quote: str, at: datetime) -> Rate | None:
        dated = newest_rate(self._session, base, quote, at)
        configured = self._settings.currency_rates.get(f"{base}_{quote}")
        fresh = dated is not None and (
            dated.effective_at is None or at - dated.effective_at <= self._settings.rate_max_age
        )
        if configured is not None and not fresh:
            return Rate(base, quote, configured, None, CONFIGURED)
        return dated
