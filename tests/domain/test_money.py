"""Money is exact, and rounded in one place, once."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimeter_cli.domain.currency import MINOR_UNITS
from aimeter_cli.domain.money import (
    MAX_NANOS,
    CurrencyMismatch,
    Money,
    display,
    floor_to_minor,
    from_nanos,
    minor_to_nanos,
    nearest_nanos,
    parse_amount,
    quantise,
    to_nanos,
)
from aimeter_cli.errors import InvalidInput

nanos = st.integers(-MAX_NANOS, MAX_NANOS)
currencies = st.sampled_from(sorted(MINOR_UNITS))


@given(nanos)
def test_nanos_survive_the_way_to_a_decimal_and_back(value: int) -> None:
    assert to_nanos(from_nanos(value)) == value


@given(nanos)
def test_a_decimal_of_nanos_always_has_nine_places(value: int) -> None:
    assert from_nanos(value).as_tuple().exponent == -9


@given(nanos, currencies)
def test_rounding_to_minor_units_goes_down_by_less_than_one_step(value: int, code: str) -> None:
    unit = MINOR_UNITS[code]
    minor = floor_to_minor(value, code)
    assert 0 <= value - minor_to_nanos(minor, code) < unit.step_nanos
    assert minor % unit.step == 0


@given(st.integers(0, 10**15), currencies)
def test_what_stripe_can_take_is_not_rounded(minor: int, code: str) -> None:
    minor -= minor % MINOR_UNITS[code].step
    assert floor_to_minor(minor_to_nanos(minor, code), code) == minor


@given(st.fractions(-(10**12), 10**12))
def test_quantising_is_off_by_half_a_nano_at_the_most(value: Fraction) -> None:
    assert abs(quantise(value) - value) <= Fraction(1, 2)


@given(nanos, nanos)
def test_sums_and_differences_are_exact(a: int, b: int) -> None:
    left, right = Money.of_nanos(a, "usd"), Money.of_nanos(b, "usd")
    assert (left + right).amount == Decimal(a + b).scaleb(-9)
    assert (left - right).amount == Decimal(a - b).scaleb(-9)
    assert (left < right) == (a < b)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("0.5", 0), ("1.5", 2), ("2.5", 2), ("-0.5", 0), ("-1.5", -2), ("2.4999", 2)],
)
def test_halves_go_to_the_even_neighbour(value: str, expected: int) -> None:
    assert quantise(Fraction(value)) == expected


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("0.29", "usd", 29),  # the predecessor made 28 of it
        ("1.999999999", "usd", 199),
        ("100", "jpy", 100),
        ("99.9", "jpy", 99),
        ("1.239", "kwd", 1230),
        ("7.99", "isk", 700),
        ("12345.67", "ugx", 1234500),
        ("-0.001", "usd", -1),
    ],
)
def test_minor_units_follow_the_currency(amount: str, currency: str, minor: int) -> None:
    assert floor_to_minor(to_nanos(Decimal(amount)), currency) == minor


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        ("0", "usd", "0.00"),
        ("1234567.5", "usd", "1,234,567.50"),
        ("0.000000001", "usd", "0.000000001"),
        ("0.020000000", "usd", "0.02"),
        ("-0.5", "usd", "-0.50"),
        ("1000", "jpy", "1,000"),
        ("1000.25", "jpy", "1,000.25"),
        ("1.5", "kwd", "1.500"),
    ],
)
def test_people_read_at_least_the_currencys_own_places(
    amount: str, currency: str, text: str
) -> None:
    assert display(Decimal(amount), currency) == text


def test_money_reads_with_its_currency() -> None:
    assert str(Money(Decimal("12.5"), "eur")) == "12.50 EUR"


def test_two_currencies_do_not_add_up() -> None:
    with pytest.raises(CurrencyMismatch, match="cannot combine usd with eur"):
        Money(Decimal(1), "usd") + Money(Decimal(1), "eur")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "amount: '' is not a decimal number such as 12.50"),
        ("abc", "amount: 'abc' is not a decimal number such as 12.50"),
        ("nan", "amount: 'nan' is not a finite number"),
        ("-Infinity", "amount: '-Infinity' is not a finite number"),
        ("1e13", "amount: '1e13' is too large"),
        ("0.0000000001", "amount: 1E-10 has more than nine decimal places"),
        (
            "9223372036.9",
            "amount: 9223372036.900000000 is beyond the largest amount that can be stored",
        ),
    ],
)
def test_an_unusable_amount_says_why(text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_amount(text)
    assert caught.value.message == message


@pytest.mark.parametrize("text", ["12.50", "-3", "0", "1_000", "0.000000001", "9223372036.85"])
def test_a_usable_amount_is_taken_as_it_is(text: str) -> None:
    assert parse_amount(text) == Decimal(text)


@pytest.mark.parametrize(
    ("cost", "nanos"),
    [
        ("0.0000000005", 0),
        ("0.0000000015", 2),
        ("1.5e-7", 150),
        (3, 3 * 10**9),
        ("-0.29", -29 * 10**7),
    ],
)
def test_a_cost_finer_than_a_nano_goes_to_the_nearest_half_to_even(
    cost: str | int, nanos: int
) -> None:
    assert nearest_nanos(cost, "cost") == nanos


@pytest.mark.parametrize("cost", ["", "x", "nan", "1e13", "Infinity"])
def test_a_cost_that_is_no_number_is_refused(cost: str) -> None:
    with pytest.raises(InvalidInput, match=r"cost: .* is not a decimal number such as 12.50"):
        nearest_nanos(cost, "cost")
