"""Prices of the package ``genai-prices``, which ships its data: nothing is ever fetched.

It matches providers as people write them (``bedrock``, ``gemini``) and models with their dates. Its
counts are inclusive (cached tokens are input tokens, too), ours are disjoint: what remains of its
input tokens has its input price. Where ours is disjoint from nothing it prices, there is no price:

* A cached class that it does not price stays without one (see :mod:`aimeter_cli.domain.pricing`).
* A model that also costs something per request cannot be told by tokens: it has no price.
* Cache writes have the price of its shortest time to live, batches and other service tiers are not
  told apart, audio and images cost what text does: a usage says nothing else.

Prices are in US dollars. Finer ones than a nano per million tokens are taken to the nearest.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING

from aimeter_cli.domain.money import nearest_nanos
from aimeter_cli.domain.pricing import ModelPrice, PriceEntry

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelInfo, Provider
    from genai_prices.types import ModelPrice as LibraryPrice

_CURRENCY = "usd"
_CLASSES = ("input_mtok", "cache_read_mtok", "cache_write_mtok", "output_mtok")
_REASONING = "output_reasoning_mtok"
_MOST = 10_000
"""Names that are remembered; more are made-up ones."""

Tier = tuple[int, ModelPrice]
"""Above how many input tokens of a call, cached ones included, a price holds."""


class PriceLibrary:
    """Looks every name up once. Its data is loaded at the first question, in half a second."""

    def __init__(self) -> None:
        self._models: dict[tuple[str, str], _Model | None] = {}

    @cached_property
    def source(self) -> str:
        return f"genai-prices {version('genai-prices')}"

    @cached_property
    def _data(self) -> DataSnapshot:
        from genai_prices.data_snapshot import get_snapshot

        return get_snapshot()

    def find(
        self, provider: str, model: str, tokens: tuple[int, ...], at: datetime
    ) -> ModelPrice | None:
        known = self._model(provider, model)
        if known is None:
            return None
        tiers = known.tiers(at)
        if len(tiers) > 1:
            read = tokens[0] + tokens[1] + tokens[2]
            for above, price in reversed(tiers[1:]):
                if read > above:
                    return price
        return tiers[0][1] if tiers else None

    def entries(self, at: datetime) -> Iterator[PriceEntry]:
        """Every price that holds at ``at``, by its own names of providers and models."""
        for provider in self._data.providers:
            for info in provider.models:
                yield from _Model(provider, info, self.source).entries(at)

    def entries_of(self, provider: str, model: str, at: datetime) -> list[PriceEntry]:
        """The tiers of one model, by the library's own names; empty: it has no price."""
        known = self._model(provider, model)
        return [] if known is None else known.entries(at)

    def provider_id(self, provider: str) -> str | None:
        """Its own name of a provider."""
        found = self._provider(provider)
        return None if found is None else found.id

    def _model(self, provider: str, model: str) -> _Model | None:
        key = (provider, model)
        if key not in self._models:
            if len(self._models) >= _MOST:
                self._models.clear()
            self._models[key] = self._look_up(provider, model)
        return self._models[key]

    def _look_up(self, provider: str, model: str) -> _Model | None:
        try:
            found, info = self._data.find_provider_model(model, None, provider, None)
        except LookupError:
            shorter = self._without_prefix(provider, model)
            return None if shorter is None else self._look_up(provider, shorter)
        return _Model(found, info, self.source)

    def _without_prefix(self, provider: str, model: str) -> str | None:
        """``openai/gpt-4o`` of openai → ``gpt-4o``; ``models/gemini-2.5-pro`` of Google, too."""
        prefix, slash, rest = model.partition("/")
        if not slash or not rest:
            return None
        named = self.provider_id(provider)
        same = prefix == "models" or self.provider_id(prefix) == named
        return rest if named is not None and same else None

    def _provider(self, provider: str) -> Provider | None:
        try:
            return self._data.find_provider(None, provider, None)
        except LookupError:
            return None


class _Model:
    """A model of the library with its prices in our classes, each made once."""

    def __init__(self, provider: Provider, info: ModelInfo, source: str) -> None:
        self._provider = provider.id
        self._info = info
        self._source = source
        self._made: dict[int, tuple[Tier, ...]] = {}
        self._days: dict[date, tuple[Tier, ...]] = {}
        prices = info.prices
        conditions = [each.constraint for each in prices] if isinstance(prices, list) else []
        self._is_fixed = not isinstance(prices, list)
        self._is_daily = all(each is None or hasattr(each, "start_date") for each in conditions)

    def tiers(self, at: datetime) -> tuple[Tier, ...]:
        """Lowest first; none: it has no price. Most prices change by the day, few by the hour."""
        if not self._is_daily:
            return self._tiers_at(at)
        day = date.min if self._is_fixed else at.astimezone(UTC).date()
        if day not in self._days:
            self._days[day] = self._tiers_at(at)
        return self._days[day]

    def entries(self, at: datetime) -> list[PriceEntry]:
        return [
            PriceEntry(self._provider, self._info.id, price, self._since(at), above)
            for above, price in self.tiers(at)
        ]

    def _since(self, at: datetime) -> datetime | None:
        prices = self._info.prices
        if not isinstance(prices, list):
            return None
        holding = self._info.get_prices(at)
        for each in prices:
            start = getattr(each.constraint, "start_date", None)
            if each.prices is holding and start is not None:
                return datetime.combine(start, time.min, UTC)
        return None

    def _tiers_at(self, at: datetime) -> tuple[Tier, ...]:
        prices = self._info.get_prices(at)
        if id(prices) not in self._made:  # the library keeps its prices
            self._made[id(prices)] = _tiers(prices, self._source)
        return self._made[id(prices)]


def _tiers(prices: LibraryPrice, source: str) -> tuple[Tier, ...]:
    if prices.requests_kcount is not None:
        return ()
    steps = {0}
    for name in (*_CLASSES, _REASONING):
        steps |= {tier.start for tier in getattr(getattr(prices, name), "tiers", ())}
    tiers = []
    for above in sorted(steps):
        per_1m = tuple(_nanos(prices, name, above) for name in _CLASSES)
        reasoning = _nanos(prices, _REASONING, above)
        tiers.append((*per_1m, per_1m[3] if reasoning is None else reasoning))
    if not any(price is not None for per_1m in tiers for price in per_1m):
        return ()
    return tuple(
        (above, ModelPrice(_CURRENCY, per_1m, source))
        for above, per_1m in zip(sorted(steps), tiers, strict=True)
    )


def _nanos(prices: LibraryPrice, name: str, above: int) -> int | None:
    """The price of a class for calls of more than ``above`` input tokens."""
    price = getattr(prices, name)
    if price is None:
        return None
    if hasattr(price, "tiers"):
        base = price.base
        for tier in price.tiers:
            if tier.start <= above:
                base = tier.price
        price = base
    return nearest_nanos(price, name)
