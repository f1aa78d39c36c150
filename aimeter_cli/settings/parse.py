"""Parsers of setting values: from a TOML value or an environment text to the typed value.

Each raises InvalidInput that says what was expected; the loader adds the file and line, or the
variable.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from aimeter_cli.domain.currency import currency_code
from aimeter_cli.domain.money import parse_amount
from aimeter_cli.domain.periods import zone
from aimeter_cli.errors import InvalidInput

_DURATION = re.compile(r"(\d{1,6})\s*([smhd]?)")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "": 86400}
_FINAL_INVOICE_KEYS = (
    "collection_method", "days_until_due", "automatic_tax", "description", "footer",
)  # fmt: skip
_WEBHOOK_SECRET = re.compile(r"whsec_\S+")
_INVOICE_ITEM_KEYS = ("tax_behavior", "tax_code", "tax_rates", "discountable")


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidInput(f"expected text, got {value!r}")
    return value


def webhook_secrets(value: Any) -> tuple[str, ...]:
    """Comma-separated. Raises InvalidInput for what Stripe signs no delivery with."""
    found = tuple(part.strip() for part in text(value).split(",") if part.strip())
    if not all(map(_WEBHOOK_SECRET.fullmatch, found)):
        raise InvalidInput(
            "expected the signing secrets of webhook endpoints, whsec_…, comma-separated"
        )
    return found


def currency(value: Any) -> str:
    return currency_code(text(value))


def timezone(value: Any) -> str:
    return zone(text(value)).key


def choice(*allowed: str) -> Callable[[Any], str]:
    def convert(value: Any) -> str:
        if value not in allowed:
            raise InvalidInput(f"expected one of {', '.join(allowed)}, got {value!r}")
        return str(value)

    return convert


def alignment(value: Any) -> str:
    return "anchored" if value == "rolling" else choice("calendar", "anchored")(value)


def whole(least: int, most: int) -> Callable[[Any], int]:
    def convert(value: Any) -> int:
        if isinstance(value, str) and re.fullmatch(r"-?\d{1,12}", value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise InvalidInput(f"expected a whole number from {least} to {most}, got {value!r}")
        return value

    return convert


def boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if not isinstance(value, str) or value.lower() not in known:
        raise InvalidInput(f"expected true or false, got {value!r}")
    return known[value.lower()]


def factor(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise InvalidInput(f"expected a decimal number such as '1.25', got {value!r}")
    number = parse_amount(value, "value")
    if not 0 <= number <= 1000:
        raise InvalidInput(f"expected a number from 0 to 1000, got {value}")
    return number


def percent(value: Any) -> Decimal:
    """``20``, ``"2.5"`` or ``"20%"``, from 0 to 1000."""
    number = value.removesuffix("%").strip() if isinstance(value, str) else value
    try:
        return factor(number)
    except InvalidInput:
        raise InvalidInput(f"expected a percentage from 0 to 1000, got {value!r}") from None


def limit(value: Any) -> Decimal:
    """An amount from 0."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise InvalidInput(f"expected an amount such as '1000', got {value!r}")
    number = parse_amount(value, "value")
    if number < 0:
        raise InvalidInput(f"expected an amount from 0, got {value}")
    return number


def overdraft(value: Any) -> bool | Decimal:
    """``true``, ``false``, or an amount from 0."""
    if isinstance(value, bool):
        return value
    known = {"true": True, "yes": True, "false": False, "no": False}
    if isinstance(value, str) and value.lower() in known:
        return known[value.lower()]
    try:
        return limit(value)
    except InvalidInput:
        raise InvalidInput(
            f"expected true, false or an amount such as '20', got {value!r}"
        ) from None


def duration(value: Any) -> timedelta:
    """``"7d"``, ``"12h"``, ``"30m"``, ``"90s"``; a bare number is days."""
    match = _DURATION.fullmatch(str(value)) if isinstance(value, str | int) else None
    if match is None or isinstance(value, bool):
        raise InvalidInput(f"expected a duration such as '7d' or '12h', got {value!r}")
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


def url(value: Any) -> str:
    address = text(value).rstrip("/")
    if address and not re.fullmatch(r"https?://[^\s/]+(/\S*)?", address):
        raise InvalidInput(f"expected an http(s) address, got {value!r}")
    return address


def table(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidInput(f"expected a table, got {value!r}")
    return value


def rates(value: Any) -> Mapping[str, Decimal]:
    result: dict[str, Decimal] = {}
    for pair, rate in table(value).items():
        base, _, quote = pair.partition("_")
        name = f"{currency_code(base)}_{currency_code(quote)}"
        if isinstance(rate, bool) or not isinstance(rate, str | int | Decimal):
            raise InvalidInput(f"{pair}: expected a decimal number such as 0.85, got {rate!r}")
        result[name] = rate_value(rate, pair)
    return result


def rate_value(value: str | int | Decimal, what: str) -> Decimal:
    """A positive factor of at most 18 significant digits."""
    number = Decimal(str(value)) if _is_number(value) else None
    if number is None or not number.is_finite() or number <= 0:
        raise InvalidInput(f"{what}: expected a positive decimal number, got {value!r}")
    if len(number.as_tuple().digits) > 18 or not -12 <= number.adjusted() <= 12:
        raise InvalidInput(f"{what}: {value} has too many digits")
    return number


def _is_number(value: object) -> bool:
    try:
        Decimal(str(value))
    except ArithmeticError:
        return False
    return True


def invoice_item(value: Any) -> Mapping[str, Any]:
    return _known(value, _INVOICE_ITEM_KEYS)


def final_invoice(value: Any) -> Mapping[str, Any]:
    return _known(value, _FINAL_INVOICE_KEYS)


def _known(value: Any, keys: Sequence[str]) -> Mapping[str, Any]:
    items = table(value)
    unknown = set(items) - set(keys)
    if unknown:
        raise InvalidInput(f"unknown key {sorted(unknown)[0]!r}: expected {', '.join(keys)}")
    return items
