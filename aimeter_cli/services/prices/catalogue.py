"""The prices that hold at a moment, as they are listed and shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from aimeter_cli.domain.money import from_nanos
from aimeter_cli.domain.pricing import PRICE_KEYS, PriceEntry
from aimeter_cli.errors import InvalidInput, NotFound
from aimeter_cli.services.prices.book import Prices
from aimeter_cli.services.suggestions import did_you_mean


@dataclass(frozen=True, slots=True)
class PriceView:
    """A price per million tokens of each class, in major units; None: the class has none.

    It holds for calls of more than ``above_input_tokens``, cached ones included, and since
    ``since`` (None: always). ``provider`` and ``model`` are its source's names.
    """

    provider: str
    model: str
    above_input_tokens: int
    input_per_1m: Decimal | None
    cached_input_per_1m: Decimal | None
    cache_write_per_1m: Decimal | None
    output_per_1m: Decimal | None
    reasoning_per_1m: Decimal | None
    currency: str
    source: str
    since: datetime | None

    @classmethod
    def of(cls, entry: PriceEntry) -> PriceView:
        price = entry.price
        amounts = (None if nanos is None else from_nanos(nanos) for nanos in price.per_1m)
        return cls(
            entry.provider, entry.model, entry.above_input_tokens,
            **dict(zip(PRICE_KEYS, amounts, strict=True)),
            currency=price.currency, source=price.source, since=entry.since,
        )  # fmt: skip


def list_prices(
    prices: Prices,
    *,
    at: datetime,
    provider: str | None = None,
    source: str | None = None,
    search: str | None = None,
) -> list[PriceView]:
    """What holds at ``at``, by provider and model; the configuration's before the library's.

    ``source`` is how a source's name begins, ``search`` a part of a model's name. Raises
    InvalidInput for a source that there is not.
    """
    sources = [name for name in _sources(prices) if name.startswith(source or "")]
    if not sources:
        known = ", ".join(_sources(prices))
        raise InvalidInput(f"--source: {source!r} is none of {known}")
    part = (search or "").lower()
    found = [
        entry
        for entry in _entries(prices, at, provider)
        if entry.price.source in sources and part in entry.model.lower()
    ]
    order = {name: place for place, name in enumerate(_sources(prices))}
    found.sort(key=lambda each: (order[each.price.source], each.provider, each.model,
                                 each.above_input_tokens))  # fmt: skip
    return [PriceView.of(entry) for entry in found]


def show_price(prices: Prices, provider: str, model: str, *, at: datetime) -> list[PriceView]:
    """What a usage of this provider and model is priced with at ``at``, a row for each tier.

    Raises NotFound, with what may have been meant.
    """
    configured = prices.configured.entry(provider, model, at)
    if configured is not None:
        return [PriceView.of(configured)]
    found = prices.library.entries_of(provider, model, at) if prices.library else []
    if not found:
        raise NotFound(
            f"there is no price of {provider} {model}: its usages are unpriced",
            hint=_hint(prices, provider, model, at),
        )
    return [PriceView.of(entry) for entry in found]


def _sources(prices: Prices) -> Sequence[str]:
    return ["configuration", *([prices.library.source] if prices.library else [])]


def _entries(prices: Prices, at: datetime, provider: str | None) -> Iterator[PriceEntry]:
    for entry in prices.configured.entries(at):
        if provider in (None, entry.provider):
            yield entry
    if prices.library is not None:
        named = None if provider is None else prices.library.provider_id(provider) or provider
        for entry in prices.library.entries(at):
            if named in (None, entry.provider):
                yield entry


def _hint(prices: Prices, provider: str, model: str, at: datetime) -> str:
    otherwise = f'Add a price under [prices.{provider}."{model}"] of the configuration.'
    models = _models(_entries(prices, at, provider))
    if models:
        return did_you_mean(model, models, otherwise)
    everything: Iterable[PriceEntry] = _entries(prices, at, None)
    return did_you_mean(provider, sorted({each.provider for each in everything}), otherwise)


def _models(entries: Iterable[PriceEntry]) -> list[str]:
    return sorted({entry.model for entry in entries})
