"""Currencies are those that Stripe bills, each with its own minor unit."""

from __future__ import annotations

import pytest

from aimeter_cli.domain.currency import MINOR_UNITS, MinorUnit, currency_code, minor_unit
from aimeter_cli.errors import InvalidInput


@pytest.mark.parametrize(
    ("code", "unit"),
    [
        ("usd", MinorUnit(2, 1)),
        ("JPY", MinorUnit(0, 1)),
        ("kwd", MinorUnit(3, 10)),
        ("isk", MinorUnit(2, 100)),
        ("ugx", MinorUnit(2, 100)),
    ],
)
def test_each_currency_has_its_own_minor_unit(code: str, unit: MinorUnit) -> None:
    assert minor_unit(code) == unit


@pytest.mark.parametrize(("text", "code"), [("USD", "usd"), (" eur ", "eur"), ("jpy", "jpy")])
def test_codes_are_taken_in_any_case(text: str, code: str) -> None:
    assert currency_code(text) == code


@pytest.mark.parametrize("text", ["", "us", "usdt", "btc", "xau", "U$D"])
def test_an_unknown_currency_is_an_error(text: str) -> None:
    with pytest.raises(InvalidInput, match="unknown currency"):
        currency_code(text)


def test_no_currency_has_two_minor_units() -> None:
    assert all(len(code) == 3 and code.islower() for code in MINOR_UNITS)
    assert len(MINOR_UNITS) > 130
