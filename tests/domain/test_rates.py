"""A rate is found directly, inverse or through the base currency; never assumed to be 1."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from aimeter_cli.domain.rates import (
    IDENTITY,
    Conversion,
    NoRate,
    Rate,
    find_conversion,
    moves_too_far,
    with_base,
)

NOW = datetime(2026, 11, 15, tzinfo=UTC)


def _find(base: str, quote: str, *rates: Rate, days: int = 7) -> Conversion:
    known = {(rate.base, rate.quote): rate for rate in rates}
    return find_conversion(
        base,
        quote,
        at=NOW,
        through="usd",
        max_age=timedelta(days=days),
        lookup=lambda a, b: known.get((a, b)),
    )


def _rate(base: str, quote: str, value: str, age: int | None = 0) -> Rate:
    since = None if age is None else NOW - timedelta(days=age)
    return Rate(base, quote, Decimal(value), since, "test")


def test_the_same_currency_needs_no_rate() -> None:
    assert _find("usd", "usd") is IDENTITY


def test_the_direct_rate_comes_before_its_inverse() -> None:
    found = _find("usd", "eur", _rate("usd", "eur", "0.8"), _rate("eur", "usd", "2"))
    assert found == Conversion(Fraction(4, 5), "usd/eur 0.8 (test 2026-11-15)")


def test_an_inverse_is_exact() -> None:
    found = _find("usd", "eur", _rate("eur", "usd", "3"))
    assert found.factor == Fraction(1, 3)
    assert found.apply(1_000_000_000) == 333_333_333
    assert found.rate == Decimal("0.333333333333333333")


def test_two_foreign_currencies_meet_in_the_base_currency() -> None:
    found = _find("eur", "jpy", _rate("usd", "eur", "0.5", None), _rate("usd", "jpy", "150"))
    assert found.factor == 300
    assert found.via == "usd/eur 0.5 (test), usd/jpy 150 (test 2026-11-15)"


def test_a_stale_direct_rate_gives_way_to_a_fresh_inverse() -> None:
    found = _find("usd", "eur", _rate("usd", "eur", "0.8", 8), _rate("eur", "usd", "2", 7))
    assert found.factor == Fraction(1, 2)


def test_a_configured_rate_does_not_age() -> None:
    assert _find("usd", "eur", _rate("usd", "eur", "0.8", None), days=0).factor == Fraction(4, 5)


@pytest.mark.parametrize(
    ("base", "quote", "rates", "message"),
    [
        ("usd", "eur", [], "no rate from usd to eur"),
        ("eur", "jpy", [_rate("usd", "jpy", "150")], "no rate from eur to jpy"),
        (
            "usd",
            "eur",
            [_rate("usd", "eur", "0.8", 8)],
            "the rate from usd to eur of 2026-11-07 is older than rate_max_age",
        ),
    ],
)
def test_a_missing_or_old_rate_is_named(
    base: str, quote: str, rates: list[Rate], message: str
) -> None:
    with pytest.raises(NoRate) as caught:
        _find(base, quote, *rates)
    assert caught.value.message == message
    assert str(caught.value.hint).endswith(f", or aimeter rates set {base} {quote} RATE")


@pytest.mark.parametrize(
    ("last", "value", "percent", "too_far"),
    [
        ("1", "1.2", "20", False),
        ("1", "1.200000000000000001", "20", True),
        ("1", "0.8", "20", False),
        ("1", "0.799999999999999999", "20", True),
        ("150", "151.51", "1", True),
        ("1", "1000000", "0", False),
        ("3", "3", "0.001", False),
    ],
)
def test_a_rate_moves_too_far_beyond_the_percentage_either_way(
    last: str, value: str, percent: str, too_far: bool
) -> None:
    assert moves_too_far(Fraction(last), Decimal(value), Decimal(percent)) is too_far


def test_a_list_in_euros_leads_through_the_dollar_where_that_is_the_base() -> None:
    listed = [_rate("eur", "usd", "1.25"), _rate("eur", "gbp", "0.85"), _rate("eur", "jpy", "175")]
    rates = with_base([*listed, _rate("eur", "sek", "11", 1)], "usd")
    assert rates[:4] == [*listed, _rate("eur", "sek", "11", 1)]
    assert [(r.base, r.quote, r.value, r.source) for r in rates[4:]] == [
        ("usd", "gbp", Decimal("0.68"), "test via eur"),
        ("usd", "jpy", Decimal(140), "test via eur"),
    ]
    assert _find("gbp", "jpy", *rates).factor == Fraction(14000, 68)


def test_a_rate_that_is_listed_itself_is_not_derived() -> None:
    listed = [
        _rate("eur", "usd", "1.25"), _rate("eur", "gbp", "0.85"), _rate("usd", "gbp", "0.69"),
    ]  # fmt: skip
    assert with_base(listed, "usd") == listed
    assert with_base(listed, "eur") == listed
