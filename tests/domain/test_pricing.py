"""Prices are per million tokens of each disjoint class; what has no price is never free."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from aimeter_cli.domain.pricing import ModelPrice, price_book
from aimeter_cli.errors import InvalidInput

NOW = datetime(2026, 11, 15, 12, tzinfo=UTC)
MINI = {"input_per_1m": "0.15", "cached_input_per_1m": "0.075", "output_per_1m": "0.60"}


def _price(entry: dict[str, Any]) -> ModelPrice:
    found = _find({"openai": {"mini": entry}}, NOW)
    assert found is not None
    return found


def _find(tables: dict[str, Any], at: datetime) -> ModelPrice | None:
    return price_book(tables, "usd").find("openai", "mini", (1, 0, 0, 0, 0), at)


@pytest.mark.parametrize(
    ("tokens", "nanos"),
    [
        ((1_000_000, 0, 0, 0, 0), 150_000_000),
        ((1, 0, 0, 0, 0), 150),
        ((0, 1, 0, 0, 0), 75),
        ((0, 0, 0, 1, 1), 1200),  # reasoning costs what output does
        ((0, 0, 1, 0, 0), None),  # no price for cache writes: unpriced, not free
        ((0, 0, 0, 0, 0), None),  # no tokens were told: unpriced, not free
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


DATED = [
    {"input_per_1m": "3", "from": date(2026, 11, 1)},
    {"input_per_1m": "1"},
    {"input_per_1m": "2", "from": "2026-06-01T02:00:00+02:00"},
]


@pytest.mark.parametrize(
    ("at", "price"),
    [
        ("2020-01-01T00:00:00+00:00", 1),
        ("2026-05-31T23:59:59.999999+00:00", 1),
        ("2026-06-01T00:00:00+00:00", 2),
        ("2026-10-31T23:59:59.999999+00:00", 2),
        ("2026-11-01T00:00:00+00:00", 3),
    ],
)
def test_the_price_is_that_of_the_time_of_the_usage(at: str, price: int) -> None:
    found = _find({"openai": {"mini": DATED}}, datetime.fromisoformat(at))
    assert found is not None
    assert found.per_1m[0] == price * 10**9


def test_before_its_first_time_a_model_has_no_price() -> None:
    tables = {"openai": {"mini": {"input_per_1m": "1", "from": "2026-11-15"}}}
    assert _find(tables, NOW) is not None
    assert _find(tables, NOW - timedelta(days=1)) is None


def test_a_listed_price_says_since_when_it_holds() -> None:
    [entry] = price_book({"openai": {"mini": DATED}}, "usd").entries(NOW)
    assert (entry.since, entry.price.per_1m[0]) == (datetime(2026, 11, 1, tzinfo=UTC), 3 * 10**9)


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"openai": 1}, 'prices.openai: expected tables [prices.openai."MODEL"]'),
        ({"openai": {"m": 1}}, 'prices.openai."m": expected a table of prices'),
        (
            {"openai": {"m": {"input": "1"}}},
            (
                "prices.openai.\"m\": unknown key 'input': expected input_per_1m, "
                "cached_input_per_1m, cache_write_per_1m, output_per_1m, reasoning_per_1m, "
                "currency, from"
            ),
        ),
        (
            {"openai": {"m": {"input_per_1m": "-1"}}},
            'prices.openai."m".input_per_1m: a price cannot be negative',
        ),
        (
            {"openai": {"m": {"from": 2026}}},
            'prices.openai."m".from: expected a date such as 2026-01-01, got 2026',
        ),
        (
            {"openai": {"m": {"from": datetime(2026, 1, 1, 12)}}},  # noqa: DTZ001 - as TOML has it
            (
                "prices.openai.\"m\".from: '2026-01-01T12:00:00' has no UTC offset: "
                "add Z or, say, +02:00"
            ),
        ),
        (
            {"openai": {"m": [{"from": "2026-01-01"}, {"from": date(2026, 1, 1)}]}},
            'prices.openai."m": there are two prices from 2026-01-01T00:00:00Z',
        ),
        ({"openai": {"m": [{}, {}]}}, 'prices.openai."m": there are two prices without from'),
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
