"""What a document of rates holds, collected with the place of each fault."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from aimeter_cli.domain.currency import MINOR_UNITS, currency_code
from aimeter_cli.domain.periods import parse_time
from aimeter_cli.domain.rates import Rate
from aimeter_cli.errors import InvalidInput
from aimeter_cli.settings.parse import rate_value


class Reading:
    """The rates of one document, from ``source``; those without a date hold from ``today``'s
    midnight UTC.

    Of a ``published`` list the currencies that nobody is billed in are passed over; elsewhere an
    unknown one is an error. Errors are InvalidInput and begin with the place, such as ``:3: …``.
    """

    def __init__(self, source: str, today: datetime, *, published: bool = False) -> None:
        self._source = source
        self._published = published
        self._midnight = datetime.combine(today.astimezone(UTC).date(), time(), UTC)
        self._found: dict[tuple[str, str, datetime], Rate] = {}

    @property
    def rates(self) -> list[Rate]:
        return list(self._found.values())

    def add(self, base: Any, quote: Any, value: Any, since: datetime, place: str) -> None:
        """1 ``base`` = ``value`` ``quote``. The same rate again is passed over."""
        try:
            codes = _code(base), _code(quote)
            if self._published and not MINOR_UNITS.keys() >= {*codes}:
                return
            of, into = (currency_code(code) for code in codes)
            rate = Rate(of, into, _number(value), since, self._source)
            if rate.base == rate.quote:
                if rate.value == 1:
                    return
                raise InvalidInput("a rate needs two currencies")
            known = self._found.setdefault((rate.base, rate.quote, since), rate)
            if known.value != rate.value:
                raise InvalidInput(
                    f"{rate.base} to {rate.quote} of {since:%Y-%m-%d} is given twice: "
                    f"{known.value} and {rate.value}"
                )
        except InvalidInput as error:
            raise InvalidInput(f"{place}: {error.message}") from None

    def since(self, value: Any, place: str) -> datetime:
        """Midnight UTC of a date, or the time of an ISO 8601 text; nothing: today."""
        if value is None or value == "":
            return self._midnight
        if isinstance(value, date):
            value = value.isoformat()
        if not isinstance(value, str):
            raise InvalidInput(f"{place}: expected a date such as 2026-11-01")
        return parse_time(value, place)


def _code(value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidInput(f"expected a currency such as usd, got {value!r}")
    return value.strip().lower()


def _number(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise InvalidInput(f"expected a decimal number, got {value!r}")
    return rate_value(value, "rate")
