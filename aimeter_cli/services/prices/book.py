"""The price book of an installation: its configuration's prices, the library's under them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from aimeter_cli.domain.pricing import ConfiguredPrices, ModelPrice, price_book
from aimeter_cli.services.prices.library import PriceLibrary
from aimeter_cli.settings.table import Settings


@dataclass(frozen=True, slots=True)
class Prices:
    """``library`` is None where ``price_library`` is off."""

    configured: ConfiguredPrices
    library: PriceLibrary | None

    def find(
        self, provider: str, model: str, tokens: tuple[int, ...], at: datetime
    ) -> ModelPrice | None:
        """What the configuration says wins, whole: classes of two sources are never mixed."""
        found = self.configured.find(provider, model, tokens, at)
        if found is None and self.library is not None:
            return self.library.find(provider, model, tokens, at)
        return found


def make_prices(settings: Settings) -> Prices:
    """Raises InvalidInput for a bad price; the library is not loaded before it is asked."""
    configured = price_book(settings.prices, settings.currency)
    return Prices(configured, PriceLibrary() if settings.price_library else None)
