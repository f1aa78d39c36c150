"""Currencies that Stripe bills, and the integer minor units in which it takes them.

Source: Stripe, "Supported currencies" (zero-decimal, three-decimal and special cases).
"""

from __future__ import annotations

from dataclasses import dataclass

from aimeter_cli.errors import InvalidInput

NANOS_PER_MAJOR = 10**9
"""Money is stored as integers of 10⁻⁹ of the major unit."""

_TWO_DECIMALS = frozenset(
    "aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bmd bnd bob brl bsd bwp byn bzd cad "
    "cdf chf cny cop crc cve czk dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gtq gyd hkd hnl "
    "htg huf idr ils inr jmd kes kgs khr kyd kzt lak lbp lkr lrd lsl mad mdl mkd mmk mnt mop mur "
    "mvr mwk mxn myr mzn nad ngn nio nok npr nzd pab pen pgk php pkr pln qar ron rsd rub sar sbd "
    "scr sek sgd shp sle sos srd std szl thb tjs top try ttd twd tzs uah usd uyu uzs wst xcd yer "
    "zar zmw".split()
)
_ZERO_DECIMALS = frozenset("bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split())
_THREE_DECIMALS = frozenset("bhd jod kwd omr tnd".split())  # the last digit must be 0
_TWO_DECIMALS_WHOLE = frozenset({"isk", "ugx"})  # sent with two decimals, which must be 00


@dataclass(frozen=True, slots=True)
class MinorUnit:
    """How Stripe counts a currency.

    ``decimals``: digits of the minor unit; ``step``: amounts must be multiples of so many
    minor units.
    """

    decimals: int
    step: int

    @property
    def nanos(self) -> int:
        """Nanos in one minor unit."""
        return int(NANOS_PER_MAJOR // 10**self.decimals)

    @property
    def step_nanos(self) -> int:
        """Nanos in the smallest amount that Stripe accepts."""
        return self.nanos * self.step


MINOR_UNITS: dict[str, MinorUnit] = {
    **{code: MinorUnit(2, 1) for code in _TWO_DECIMALS},
    **{code: MinorUnit(0, 1) for code in _ZERO_DECIMALS},
    **{code: MinorUnit(3, 10) for code in _THREE_DECIMALS},
    **{code: MinorUnit(2, 100) for code in _TWO_DECIMALS_WHOLE},
}


def currency_code(text: str) -> str:
    """``"USD"`` → ``"usd"``. Raises InvalidInput for a currency that Stripe does not bill."""
    code = text.strip().lower()
    if code not in MINOR_UNITS:
        raise InvalidInput(
            f"unknown currency {text!r}: expected a three-letter ISO 4217 code such as usd or eur"
        )
    return code


def minor_unit(currency: str) -> MinorUnit:
    """The minor unit of a known currency. Raises InvalidInput for an unknown one."""
    return MINOR_UNITS[currency_code(currency)]
