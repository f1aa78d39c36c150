"""Prices are per million tokens of each disjoint class; what has no price is never free."""

from __future__ import annotations

from typing import Any

import pytest

from aimeter_cli.domain.pricing import ModelPrice, price_book
from aimeter_cli.errors import InvalidInput

MINI = {"input_per_1m": "0.15", "cached_input_per_1m": "0.075", "output_per_1m": "0.60"}


def _price(entry: dict[str, Any]) -> ModelPrice:
    return price_book({"openai": {"mini": entry}}, "usd")["openai", "mini"]


@pytest.mark.parametrize(
    ("tokens", "nanos"),
    [
        ((1_000_000, 0, 0, 0, 0), 150_000_000),
        ((1, 0, 0, 0, 0), 150),
        ((0, 1, 0, 0, 0), 75),
        ((0, 0, 0, 1, 1), 1200),  # reasoning costs what output does
        ((0, 0, 1, 0, 0), None),  # no price for cache writes: unpriced, not free
        ((0, 0, 0, 0, 0), 0),
    ],
)
def test_a_usage_costs_what_its_classes_cost(tokens: tuple[int, ...], nanos: int | None) -> None:
    assert _price(MINI).cost(tokens) == nanos


def test_a_price_of_zero_is_free() -> None:
    assert _price({"input_per_1m": "0"}).cost((10**9, 0, 0, 0, 0)) == 0


def test_half_a_nano_goes_to_the_even_neighbour() -> None:
    price = _price({"input_per_1m": "0.0005"})
    assert [price.cost((count, 0, 0, 0, 0)) for count in (1, 3, 5)] == [0, 2, 2]


def test_a_price_may_have_a_currency_of_its_own() -> None:
    assert _price({**MINI, "currency": "EUR"}).currency == "eur"
    assert _price(MINI).currency == "usd"


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"openai": 1}, 'prices.openai: expected tables [prices.openai."MODEL"]'),
        ({"openai": {"m": 1}}, 'prices.openai."m": expected a table of prices'),
        (
            {"openai": {"m": {"input": "1"}}},
            (
                "prices.openai.\"m\": unknown key 'input': expected input_per_1m, "
                "cached_input_per_1m, cache_write_per_1m, output_per_1m, reasoning_per_1m, currency"
            ),
        ),
        (
            {"openai": {"m": {"input_per_1m": "-1"}}},
            'prices.openai."m".input_per_1m: a price cannot be negative',
        ),
        (
            {"openai": {"m": {"input_per_1m": True}}},
            "prices.openai.\"m\".input_per_1m: expected a decimal such as '0.15', got True",
        ),
        (
            {"openai": {"m": {"currency": 3}}},
            "prices.openai.\"m\".currency: expected a currency such as 'usd'",
        ),
    ],
)
def test_a_bad_price_says_where_it_stands(tables: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        price_book(tables, "usd")
    assert caught.value.message == message
