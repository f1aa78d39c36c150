"""Currencies and what an amount in them may be (Stripe: "Supported currencies"; STRIPE.md)."""

from .refusals import invalid

_CODES = """
usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp
byn bzd cad cdf chf clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip
gmd gnf gtq gyd hkd hnl hrk htg huf idr ils inr isk jmd jod jpy kes kgs khr kmf krw kwd kyd
kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok
npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek sgd shp sle sos
srd std szl thb tjs tnd top try ttd twd tzs uah ugx uyu uzs vnd vuv wst xaf xcd xof xpf yer
zar zmw
"""

SUPPORTED = frozenset(_CODES.split())

MULTIPLES = {**dict.fromkeys(("bhd", "jod", "kwd", "omr", "tnd"), 10), "isk": 100, "ugx": 100}
"""Three-decimal ones end in 0; ISK and UGX are sent with two decimals that are 00.

Zero-decimal ones (JPY, KRW …) take any integer: their minor unit is the major unit.
"""

LARGEST = 999_999_999_999
"""Twelve digits, in minor units."""


def check_currency(value: str, param: str) -> str:
    """The currency in lower case; raises Stripe's 400 for one that it does not support."""
    currency = value.lower()
    if currency not in SUPPORTED:
        raise invalid(
            f"Invalid currency: {value}. Stripe currently supports these currencies: "
            + ", ".join(sorted(SUPPORTED)),
            param,
        )
    return currency


def check_amount(amount: int, currency: str, param: str = "amount") -> None:
    """Raise a 400 unless ``amount`` (minor units, any sign) can be charged in ``currency``."""
    if abs(amount) > LARGEST:
        raise invalid(
            "Amount must be no more than 12 digits.",
            param,
            "amount_too_large" if amount > 0 else "amount_too_small",
        )
    multiple = MULTIPLES.get(currency, 1)
    if amount % multiple:
        raise invalid(
            f"Invalid amount: {amount}. Amounts in {currency} must be divisible by {multiple}.",
            param,
            "parameter_invalid_integer",
        )
