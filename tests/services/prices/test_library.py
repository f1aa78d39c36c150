"""The library's prices in our classes: exact, of the time of the usage, and never guessed."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from genai_prices import Usage, calc_price
from genai_prices.data_snapshot import DataSnapshot
from genai_prices.types import (
    ClauseEquals,
    ConditionalPrice,
    ModelInfo,
    Provider,
    StartDateConstraint,
    Tier,
    TieredPrices,
)
from genai_prices.types import ModelPrice as LibraryPrice
from hypothesis import given
from hypothesis import strategies as st

from aimeter_cli.services.prices import library as module
from aimeter_cli.services.prices.library import PriceLibrary

NOW = datetime(2026, 11, 15, 12, tzinfo=UTC)
ONE = (1, 0, 0, 0, 0)
LIBRARY = PriceLibrary()


def _library(prices: Any) -> PriceLibrary:
    """A library that knows one model, ``acme`` ``m``."""
    info = ModelInfo(id="m", match=ClauseEquals(equals="m"), prices=prices)
    made = PriceLibrary()
    made.__dict__["_data"] = DataSnapshot([Provider("acme", "Acme", "-", models=[info])], False)
    return made


@pytest.mark.parametrize(
    ("provider", "model", "known_as"),
    [
        ("openai", "gpt-4o-mini", ("openai", "gpt-4o-mini")),
        ("OpenAI", "GPT-4o-mini", ("openai", "gpt-4o-mini")),
        ("openai", "gpt-4o-mini-2024-07-18", ("openai", "gpt-4o-mini")),
        ("openai", "openai/gpt-4o-mini", ("openai", "gpt-4o-mini")),
        ("azure", "gpt-4o", ("azure", "gpt-4o")),
        ("anthropic", "claude-sonnet-4-5-20250929", ("anthropic", "claude-sonnet-4-5")),
        ("google", "gemini-2.5-pro", ("google", "gemini-2.5-pro")),
        ("gemini", "gemini-2.5-pro", ("google", "gemini-2.5-pro")),
        ("gemini", "models/gemini-2.5-pro", ("google", "gemini-2.5-pro")),
        ("vertex_ai", "gemini/gemini-2.5-pro", ("google", "gemini-2.5-pro")),
        ("litellm", "openai/gpt-4o-mini", ("openai", "gpt-4o-mini")),
        ("bedrock", "amazon.nova-pro-v1:0", ("aws", "amazon.nova-pro-v1:0")),
    ],
)
def test_providers_and_models_are_found_as_people_write_them(
    provider: str, model: str, known_as: tuple[str, str]
) -> None:
    entry = LIBRARY.entries_of(provider, model, NOW)[0]
    assert (entry.provider, entry.model) == known_as
    assert LIBRARY.find(provider, model, ONE, NOW) == entry.price


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("acme", "gpt-4o-mini"),
        ("openai", "gpt-99"),
        ("openai", "anthropic/gpt-4o-mini"),
        ("openai", "acme/gpt-4o-mini"),
        ("openai", "openai/"),
    ],
)
def test_what_it_does_not_know_has_no_price(provider: str, model: str) -> None:
    assert LIBRARY.find(provider, model, ONE, NOW) is None


def test_a_price_names_the_library_and_its_version() -> None:
    from genai_prices import __version__

    price = LIBRARY.find("openai", "gpt-4o-mini", ONE, NOW)
    assert price is not None
    assert (price.currency, price.source) == ("usd", f"genai-prices {__version__}")


TOKENS = st.integers(0, 400_000)


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-4o-mini"),
        ("anthropic", "claude-sonnet-4-5"),
        ("google", "gemini-2.5-pro"),
        ("deepseek", "deepseek-chat"),
    ],
)
@given(
    tokens=st.tuples(TOKENS, TOKENS, TOKENS, TOKENS, TOKENS).filter(any), hour=st.integers(0, 23)
)  # fmt: skip
def test_disjoint_tokens_cost_what_the_library_makes_of_the_same_as_inclusive_counts(
    provider: str, model: str, tokens: tuple[int, ...], hour: int
) -> None:
    at = NOW.replace(hour=hour)
    plain, cached, written, output, reasoning = tokens
    price = LIBRARY.find(provider, model, tokens, at)
    assert price is not None
    if price.per_1m[2] is None:  # the library takes them for fresh input
        assert price.cost(tokens) is None or not written
        plain, written = plain + written, 0
    cost = price.cost((plain, cached, written, output, reasoning))
    inclusive = Usage(
        input_tokens=plain + cached + written, cache_read_tokens=cached,
        cache_write_tokens=written, output_tokens=output + reasoning,
    )  # fmt: skip
    told = calc_price(inclusive, model, provider_id=provider, genai_request_timestamp=at)
    assert cost == round(told.total_price * 10**9)


@pytest.mark.parametrize(
    ("tokens", "nanos"),
    [
        ((100, 0, 0, 0, 0), 1000),
        ((101, 0, 0, 0, 0), 2 * 1010),
        ((50, 25, 25, 0, 0), 100 * 10),
        ((50, 26, 25, 0, 0), 2 * 101 * 10),
        ((0, 0, 0, 500, 0), 500 * 10),
        ((201, 0, 0, 0, 0), 3 * 2010),
    ],
)
def test_the_tier_is_that_of_all_input_tokens_of_the_call(
    tokens: tuple[int, ...], nanos: int
) -> None:
    tiers = TieredPrices(Decimal("0.01"), [Tier(100, Decimal("0.02")), Tier(200, Decimal("0.03"))])
    library = _library(
        LibraryPrice(input_mtok=tiers, cache_read_mtok=tiers, cache_write_mtok=tiers,
                     output_mtok=tiers)
    )  # fmt: skip
    price = library.find("acme", "m", tokens, NOW)
    assert price is not None
    assert price.cost(tokens) == nanos


def test_a_price_holds_from_its_day_on_in_utc() -> None:
    library = _library(
        [
            ConditionalPrice(prices=LibraryPrice(input_mtok=Decimal(1))),
            ConditionalPrice(
                StartDateConstraint(date(2026, 11, 15)), prices=LibraryPrice(input_mtok=Decimal(2))
            ),
        ]
    )
    seen = []
    for at in ("2026-11-15T00:30:00+01:00", "2026-11-15T00:00:00+00:00"):
        found = library.find("acme", "m", ONE, datetime.fromisoformat(at))
        assert found is not None
        seen.append(found.per_1m[0])
    assert seen == [10**9, 2 * 10**9]
    [entry] = library.entries_of("acme", "m", NOW)
    assert entry.since == datetime(2026, 11, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("prices", "per_1m"),
    [
        ({"input_mtok": "2", "output_mtok": "8"}, (2, None, None, 8, 8)),
        ({"input_mtok": "2", "output_mtok": "8", "output_reasoning_mtok": "3"},
         (2, None, None, 8, 3)),
        ({"input_mtok": "0"}, (0, None, None, None, None)),
        ({"input_mtok": "1", "cache_write_mtok": "2", "cache_write_1h_mtok": "4"},
         (1, None, 2, None, None)),
    ],
)  # fmt: skip
def test_classes_that_it_does_not_price_stay_without_a_price(
    prices: dict[str, str], per_1m: tuple[int | None, ...]
) -> None:
    found = _library(LibraryPrice(**{k: Decimal(v) for k, v in prices.items()})).find(
        "acme", "m", ONE, NOW
    )
    assert found is not None
    assert found.per_1m == tuple(None if v is None else v * 10**9 for v in per_1m)


@pytest.mark.parametrize("prices", [{}, {"input_mtok": "1", "requests_kcount": "5"}])
def test_a_model_whose_price_tokens_do_not_tell_has_none(prices: dict[str, str]) -> None:
    library = _library(LibraryPrice(**{k: Decimal(v) for k, v in prices.items()}))
    assert library.find("acme", "m", ONE, NOW) is None
    assert library.entries_of("acme", "m", NOW) == []


def test_every_price_that_it_ships_can_be_listed_and_is_no_less_than_nothing() -> None:
    entries = list(LIBRARY.entries(NOW))
    assert len(entries) > 1000
    assert all(price is None or price >= 0 for each in entries for price in each.price.per_1m)


def test_each_name_is_looked_up_once_and_few_are_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_MOST", 3)
    library = _library(LibraryPrice(input_mtok=Decimal(1)))
    asked: list[str] = []
    real = library._look_up

    def look_up(provider: str, model: str) -> Any:
        asked.append(model)
        return real(provider, model)

    monkeypatch.setattr(library, "_look_up", look_up)
    for model in ("m", "m", "no", "no", "m"):
        library.find("acme", model, ONE, NOW)
    assert asked == ["m", "no"]
    for n in range(10):
        library.find("acme", f"no{n}", ONE, NOW)
    assert len(library._models) <= 3


def test_it_is_loaded_only_when_it_is_asked() -> None:
    program = (
        "import sys; from aimeter_cli.app import App; prices = App().prices;"
        "assert prices.library is not None; assert 'genai_prices' not in sys.modules;"
        "import aimeter_cli.cli.main; assert 'genai_prices' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
