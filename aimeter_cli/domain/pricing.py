"""Prices of models, per million tokens of each class.

Classes are disjoint: input, cached input, cache write, output, reasoning (DESIGN.md,
"Vocabulary"). Reasoning tokens without a price of their own cost what output costs, as every
provider bills them; a cached class without a price makes the usage ``unpriced``, because charging
it as fresh input, or as nothing, would both be wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import NamedTuple, Protocol

from aimeter_cli.domain.currency import currency_code
from aimeter_cli.domain.money import parse_amount, quantise_ratio, to_nanos
from aimeter_cli.domain.periods import iso, parse_time
from aimeter_cli.errors import InvalidInput

TOKEN_CLASSES = ("input", "cached_input", "cache_write", "output", "reasoning")
TOKEN_FIELDS = tuple(f"{name}_tokens" for name in TOKEN_CLASSES)
PRICE_KEYS = tuple(f"{name}_per_1m" for name in TOKEN_CLASSES)
CONFIGURATION = "configuration"
_OTHER_KEYS = ("currency", "from")
_ALWAYS = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """Nanos per million tokens by class, in ``currency``; None: this class has no price.

    ``source`` is ``configuration`` or a library and its version.
    """

    currency: str
    per_1m: tuple[int | None, ...]
    source: str = CONFIGURATION

    def cost(self, tokens: tuple[int, ...]) -> int | None:
        """Nanos for so many tokens by class, half to even.

        None if a class used has no price, or if none was used: what tells no tokens, such as a
        stream that was left early, has no price, rather than the price 0.
        """
        if not any(tokens):
            return None
        total = 0
        for count, price in zip(tokens, self.per_1m, strict=True):
            if count:
                if price is None:
                    return None
                total += count * price
        return quantise_ratio(total, 10**6)


class PriceBook(Protocol):
    """Who knows prices. Asked for every usage: answers come from memory."""

    def find(
        self, provider: str, model: str, tokens: tuple[int, ...], at: datetime
    ) -> ModelPrice | None:
        """What so many tokens by class cost at ``at``; None: not known, and never guessed."""
        ...


class PriceEntry(NamedTuple):
    """A price as it is listed: since when, and above how many input tokens of a call, it holds."""

    provider: str
    model: str
    price: ModelPrice
    since: datetime | None = None
    above_input_tokens: int = 0


class ConfiguredPrices:
    """``[prices.PROVIDER."MODEL"]`` of the configuration. ``entries``: of each the newest first."""

    def __init__(self, entries: Mapping[tuple[str, str], Sequence[PriceEntry]]) -> None:
        self._entries = entries

    def __len__(self) -> int:
        return len(self._entries)

    def find(
        self, provider: str, model: str, tokens: tuple[int, ...], at: datetime
    ) -> ModelPrice | None:
        found = self.entry(provider, model, at)
        return None if found is None else found.price

    def entry(self, provider: str, model: str, at: datetime) -> PriceEntry | None:
        """What holds at ``at``; None before the first."""
        for entry in self._entries.get((provider, model), ()):
            if entry.since is None or entry.since <= at:
                return entry
        return None

    def entries(self, at: datetime) -> Iterator[PriceEntry]:
        """Of every model what holds at ``at``."""
        for provider, model in self._entries:
            found = self.entry(provider, model, at)
            if found is not None:
                yield found


def price_book(tables: Mapping[str, object], default_currency: str) -> ConfiguredPrices:
    """``[prices.PROVIDER."MODEL"]``: a table, or an array of tables, each ``from`` a time on.

    Raises InvalidInput, naming the table and the key.
    """
    book: dict[tuple[str, str], list[PriceEntry]] = {}
    for provider, models in tables.items():
        if not isinstance(models, Mapping):
            raise InvalidInput(f'prices.{provider}: expected tables [prices.{provider}."MODEL"]')
        for model, given in models.items():
            where = f'prices.{provider}."{model}"'
            entries: list[PriceEntry] = []
            for table in given if isinstance(given, list) else [given]:
                if not isinstance(table, Mapping):
                    raise InvalidInput(f"{where}: expected a table of prices")
                price = _price(table, default_currency, where)
                entries.append(PriceEntry(provider, model, price, _since(table, where)))
            book[provider, model] = _newest_first(entries, where)
    return ConfiguredPrices(book)


NO_PRICES: PriceBook = ConfiguredPrices({})


def _price(table: Mapping[str, object], default_currency: str, where: str) -> ModelPrice:
    unknown = set(table) - set(PRICE_KEYS) - set(_OTHER_KEYS)
    if unknown:
        raise InvalidInput(
            f"{where}: unknown key {sorted(unknown)[0]!r}: expected {', '.join(PRICE_KEYS)}, "
            f"{', '.join(_OTHER_KEYS)}"
        )
    values: list[int | None] = []
    for key in PRICE_KEYS:
        value = table.get(key)
        if value is None:
            values.append(None)
            continue
        if not isinstance(value, str | int | Decimal) or isinstance(value, bool):
            raise InvalidInput(f"{where}.{key}: expected a decimal such as '0.15', got {value!r}")
        amount = parse_amount(value, f"{where}.{key}")
        if amount < 0:
            raise InvalidInput(f"{where}.{key}: a price cannot be negative")
        values.append(to_nanos(amount))
    if values[4] is None:
        values[4] = values[3]
    currency = table.get("currency", default_currency)
    if not isinstance(currency, str):
        raise InvalidInput(f"{where}.currency: expected a currency such as 'usd'")
    return ModelPrice(currency_code(currency), tuple(values))


def _since(table: Mapping[str, object], where: str) -> datetime | None:
    """A date is its beginning in UTC."""
    value = table.get("from")
    if value is None:
        return None
    if not isinstance(value, str | date):
        raise InvalidInput(f"{where}.from: expected a date such as 2026-01-01, got {value!r}")
    text = value if isinstance(value, str) else value.isoformat()
    return parse_time(text, f"{where}.from")


def _newest_first(entries: list[PriceEntry], where: str) -> list[PriceEntry]:
    seen: set[datetime | None] = set()
    for entry in entries:
        if entry.since in seen:
            since = "without from" if entry.since is None else f"from {iso(entry.since)}"
            raise InvalidInput(f"{where}: there are two prices {since}")
        seen.add(entry.since)
    return sorted(entries, key=lambda entry: entry.since or _ALWAYS, reverse=True)
