"""Prices of models, per million tokens of each class.

Classes are disjoint: input, cached input, cache write, output, reasoning (DESIGN.md,
"Vocabulary"). Reasoning tokens without a price of their own cost what output costs, as every
provider bills them; a cached class without a price makes the usage ``unpriced``, because charging
it as fresh input, or as nothing, would both be wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from aimeter_cli.domain.currency import currency_code
from aimeter_cli.domain.money import parse_amount, quantise_ratio, to_nanos
from aimeter_cli.errors import InvalidInput

TOKEN_CLASSES = ("input", "cached_input", "cache_write", "output", "reasoning")
TOKEN_FIELDS = tuple(f"{name}_tokens" for name in TOKEN_CLASSES)
PRICE_KEYS = tuple(f"{name}_per_1m" for name in TOKEN_CLASSES)


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """Nanos per million tokens by class, in ``currency``; None: this class has no price."""

    currency: str
    per_1m: tuple[int | None, ...]

    def cost(self, tokens: tuple[int, ...]) -> int | None:
        """Nanos for so many tokens by class, half to even; None if a class used has no price."""
        total = 0
        for count, price in zip(tokens, self.per_1m, strict=True):
            if count:
                if price is None:
                    return None
                total += count * price
        return quantise_ratio(total, 10**6)


PriceBook = Mapping[tuple[str, str], ModelPrice]
"""Prices by (provider, model)."""


def model_price(entry: Mapping[str, object], default_currency: str, where: str) -> ModelPrice:
    """A price from its configuration table. Raises InvalidInput, naming ``where`` and the key."""
    unknown = set(entry) - set(PRICE_KEYS) - {"currency"}
    if unknown:
        raise InvalidInput(
            f"{where}: unknown key {sorted(unknown)[0]!r}: expected {', '.join(PRICE_KEYS)}, "
            "currency"
        )
    values: list[int | None] = []
    for key in PRICE_KEYS:
        value = entry.get(key)
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
    currency = entry.get("currency", default_currency)
    if not isinstance(currency, str):
        raise InvalidInput(f"{where}.currency: expected a currency such as 'usd'")
    return ModelPrice(currency_code(currency), tuple(values))


def price_book(
    tables: Mapping[str, object], default_currency: str
) -> dict[tuple[str, str], ModelPrice]:
    """``[prices.PROVIDER."MODEL"]`` of the configuration. Raises InvalidInput."""
    book: dict[tuple[str, str], ModelPrice] = {}
    for provider, models in tables.items():
        if not isinstance(models, Mapping):
            raise InvalidInput(f'prices.{provider}: expected tables [prices.{provider}."MODEL"]')
        for model, entry in models.items():
            where = f'prices.{provider}."{model}"'
            if not isinstance(entry, Mapping):
                raise InvalidInput(f"{where}: expected a table of prices")
            book[provider, model] = model_price(entry, default_currency, where)
    return book
