"""Conversion between currencies: direct rate, inverse, or through the base currency.

Source: DESIGN.md, "Money". A rate is dated; those of the configuration have no age. There is no
1:1 fallback: where no rate is found, :class:`NoRate` says which one is missing or too old.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Context, Decimal
from fractions import Fraction

from aimeter_cli.domain.money import quantise
from aimeter_cli.errors import AimeterError

_EIGHTEEN = Context(prec=18)


@dataclass(frozen=True, slots=True)
class Rate:
    """1 ``base`` = ``value`` ``quote``, since ``effective_at`` (None: configured, without age)."""

    base: str
    quote: str
    value: Decimal
    effective_at: datetime | None
    source: str


def moves_too_far(last: Fraction, value: Decimal, percent: Decimal) -> bool:
    """Whether ``value`` differs from ``last`` by more than ``percent``; 0: whatever it is, no."""
    return bool(percent) and abs(Fraction(value) - last) * 100 > Fraction(percent) * last


def with_base(rates: Iterable[Rate], base: str) -> list[Rate]:
    """The rates, and those from ``base`` that follow from them, to 18 digits.

    A list of 1 euro in dollars, pounds, … so leads through the dollar, too, if that is ``base``.
    """
    rates = list(rates)
    known = {(rate.base, rate.quote, rate.effective_at) for rate in rates}
    into = {(rate.base, rate.effective_at): rate for rate in rates if rate.quote == base}
    follows = (
        Rate(
            base, rate.quote, _EIGHTEEN.divide(rate.value, cross.value).normalize(),
            rate.effective_at, f"{rate.source} via {rate.base}",
        )
        for rate in rates
        if (cross := into.get((rate.base, rate.effective_at))) is not None and rate.quote != base
    )  # fmt: skip
    return [*rates, *(r for r in follows if (r.base, r.quote, r.effective_at) not in known)]


@dataclass(frozen=True, slots=True)
class Conversion:
    """A factor with the account of how it was found, to be pinned on the row it priced."""

    factor: Fraction
    via: str

    @property
    def rate(self) -> Decimal:
        """The factor for people and for the record, to 18 digits."""
        return _EIGHTEEN.divide(Decimal(self.factor.numerator), Decimal(self.factor.denominator))

    def apply(self, nanos: int) -> int:
        """Nanos of the source currency → nanos of the target, half to even."""
        return quantise(nanos * self.factor)


IDENTITY = Conversion(Fraction(1), "same currency")


def how_to_get_rate(base: str, quote: str) -> str:
    """What to type."""
    return f"aimeter rates update --from ecb, or aimeter rates set {base} {quote} RATE"


class NoRate(AimeterError):
    """No usable rate between two currencies; the message names it and says what to type."""

    def __init__(self, base: str, quote: str, too_old: Rate | None = None) -> None:
        self.base, self.quote = base, quote
        if too_old is None or too_old.effective_at is None:
            message = f"no rate from {base} to {quote}"
        else:
            message = (
                f"the rate from {too_old.base} to {too_old.quote} of "
                f"{too_old.effective_at:%Y-%m-%d} is older than rate_max_age"
            )
        super().__init__(message, hint=how_to_get_rate(base, quote))


Lookup = Callable[[str, str], Rate | None]
"""The newest rate of a pair, in exactly that direction, at the time in question."""


def find_conversion(
    base: str,
    quote: str,
    *,
    at: datetime,
    through: str,
    max_age: timedelta,
    lookup: Lookup,
) -> Conversion:
    """How to convert ``base`` into ``quote`` at ``at``. Raises NoRate.

    ``through`` is the base currency of the configuration, tried when neither the direct rate
    nor its inverse is usable.
    """
    if base == quote:
        return IDENTITY
    stale: list[Rate] = []

    def usable(a: str, b: str) -> Conversion | None:
        for rate, inverse in ((lookup(a, b), False), (lookup(b, a), True)):
            if rate is None:
                continue
            if rate.effective_at is not None and at - rate.effective_at > max_age:
                stale.append(rate)
                continue
            factor = Fraction(rate.value)
            dated = f" {rate.effective_at:%Y-%m-%d}" if rate.effective_at else ""
            told = f"{rate.base}/{rate.quote} {rate.value.normalize():f} ({rate.source}{dated})"
            return Conversion(1 / factor if inverse else factor, told)
        return None

    direct = usable(base, quote)
    if direct is not None:
        return direct
    if through not in (base, quote):
        first, second = usable(base, through), usable(through, quote)
        if first is not None and second is not None:
            return Conversion(first.factor * second.factor, f"{first.via}, {second.via}")
    raise NoRate(base, quote, stale[0] if stale else None)
