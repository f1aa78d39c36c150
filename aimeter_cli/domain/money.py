"""Money: Decimal with a currency outside, integer nanos inside, and the only rounding there is.

Source: DESIGN.md, "Money".
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from fractions import Fraction

from aimeter_cli.domain.currency import NANOS_PER_MAJOR, currency_code, minor_unit
from aimeter_cli.errors import AimeterError, InvalidInput

_EXACT = Context(prec=60)
MAX_EXPONENT = 12
"""Amounts of 10¹³ major units and more are refused before any arithmetic."""
MAX_NANOS = 2**63 - 1
"""The largest amount of the BIGINT columns: about 9.2 thousand million major units."""


class CurrencyMismatch(AimeterError):
    """Amounts of two currencies met in one sum or comparison."""


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in major units of one currency, exact to nine places."""

    amount: Decimal
    currency: str

    @classmethod
    def of_nanos(cls, nanos: int, currency: str) -> Money:
        return cls(from_nanos(nanos), currency_code(currency))

    @property
    def nanos(self) -> int:
        return to_nanos(self.amount)

    def _same(self, other: Money) -> None:
        if self.currency != other.currency:
            raise CurrencyMismatch(f"cannot combine {self.currency} with {other.currency}")

    def __add__(self, other: Money) -> Money:
        self._same(other)
        return Money(_EXACT.add(self.amount, other.amount), self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same(other)
        return Money(_EXACT.subtract(self.amount, other.amount), self.currency)

    def __lt__(self, other: Money) -> bool:
        self._same(other)
        return self.amount < other.amount

    def __str__(self) -> str:
        return f"{display(self.amount, self.currency)} {self.currency.upper()}"


def from_nanos(nanos: int) -> Decimal:
    """Nanos → major units, always with nine places."""
    return _EXACT.scaleb(Decimal(nanos), -9)


def to_nanos(amount: Decimal) -> int:
    """Major units → nanos. Raises InvalidInput if there are more than nine places, or too many."""
    scaled = _EXACT.scaleb(amount, 9)
    nanos = int(scaled)
    if nanos != scaled:
        raise InvalidInput(f"{amount} has more than nine decimal places")
    return in_range(nanos)


def in_range(nanos: int) -> int:
    """``nanos``, if the database's BIGINT can hold it. Raises InvalidInput otherwise."""
    if not -MAX_NANOS <= nanos <= MAX_NANOS:
        raise InvalidInput(f"{from_nanos(nanos):f} is beyond the largest amount that can be stored")
    return nanos


def parse_amount(text: str | int | Decimal, what: str = "amount") -> Decimal:
    """A finite decimal number of at most nine places, without exponent games or signs of nan."""
    try:
        value = Decimal(text)
    except (InvalidOperation, ValueError):
        raise InvalidInput(f"{what}: {text!r} is not a decimal number such as 12.50") from None
    if not value.is_finite():
        raise InvalidInput(f"{what}: {text!r} is not a finite number")
    if value.adjusted() > MAX_EXPONENT:
        raise InvalidInput(f"{what}: {text!r} is too large")
    try:
        to_nanos(value)
    except InvalidInput as error:
        raise InvalidInput(f"{what}: {error.message}") from None
    return value


def quantise(value: Fraction) -> int:
    """An exact number of nanos → whole nanos, half to even.

    Done once for a priced usage, for a period's charge and for a converted amount.
    """
    return quantise_ratio(value.numerator, value.denominator)


def quantise_ratio(numerator: int, denominator: int) -> int:
    """``numerator / denominator`` → the nearest whole number, half to even."""
    whole, rest = divmod(numerator, denominator)
    twice = 2 * rest
    if twice > denominator or (twice == denominator and whole % 2):
        return whole + 1
    return whole


def nearest_nanos(value: str | int | Decimal, what: str) -> int:
    """Major units of any number of places → the nearest nano, half to even.

    For costs, which may come finer than a nano. Raises InvalidInput, naming ``what``.
    """
    try:
        amount = Decimal(value)
        if amount.is_finite() and amount.adjusted() <= MAX_EXPONENT:
            return in_range(
                int(amount.scaleb(9, _EXACT).to_integral_value(ROUND_HALF_EVEN, _EXACT))
            )
    except ArithmeticError:
        pass
    raise InvalidInput(f"{what}: {value!r} is not a decimal number such as 12.50")


def floor_to_minor(nanos: int, currency: str) -> int:
    """Nanos → Stripe's minor units, rounded **down** to what Stripe accepts for the currency.

    The one place where money becomes minor units (DESIGN.md, "Money"): what is cut off stays
    inside the pending invoice item.
    """
    unit = minor_unit(currency)
    return (nanos // unit.step_nanos) * unit.step


def minor_to_nanos(minor: int, currency: str) -> int:
    """Stripe's minor units → nanos, exactly."""
    return minor * minor_unit(currency).nanos


def display(amount: Decimal, currency: str) -> str:
    """For people: at least the currency's own places, more only where they are not zero."""
    places = minor_unit(currency).decimals
    text = f"{amount:.9f}"
    whole, _, fraction = text.partition(".")
    fraction = fraction.rstrip("0").ljust(places, "0")
    grouped = f"{int(whole):,}"
    if whole.startswith("-") and not grouped.startswith("-"):
        grouped = "-" + grouped
    return f"{grouped}.{fraction}" if fraction else grouped


__all__ = [
    "MAX_NANOS",
    "NANOS_PER_MAJOR",
    "CurrencyMismatch",
    "Money",
    "display",
    "floor_to_minor",
    "from_nanos",
    "in_range",
    "minor_to_nanos",
    "nearest_nanos",
    "parse_amount",
    "quantise",
    "quantise_ratio",
    "to_nanos",
]
