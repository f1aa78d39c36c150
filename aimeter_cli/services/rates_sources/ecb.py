"""Documents of the European Central Bank: 1 euro in each currency, for one day or for many.

Source: ECB, "Euro foreign exchange reference rates": the XML of a day and of the last 90 days, and
the zipped CSV of a day (``20 November 2026``) and of all days (``2026-11-20``, ``N/A`` where there
is no rate).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from aimeter_cli.errors import InvalidInput
from aimeter_cli.services.rates_sources.reading import Reading

_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip


def read_xml(content: bytes, reading: Reading) -> None:
    """``<Cube time='…'><Cube currency='USD' rate='…'/>…``. A document type is refused, and with it
    every entity."""
    from xml.parsers import expat  # a document type, where entities come from, ends it

    parser = expat.ParserCreate(namespace_separator=" ")
    days: list[datetime] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if name.rpartition(" ")[2] != "Cube":
            return
        place = f":{parser.CurrentLineNumber}"
        if "time" in attributes:
            days.append(reading.since(attributes["time"], f"{place}: time"))
        elif "currency" in attributes:
            if not days:
                raise InvalidInput(f"{place}: a rate without a day")
            reading.add("eur", attributes["currency"], attributes.get("rate"), days[-1], place)

    def refuse(*_: object) -> None:
        raise InvalidInput(f":{parser.CurrentLineNumber}: a document type is not read")

    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        raise InvalidInput(f":{error.lineno}: not XML: {reason}") from None


def is_wide(header: Sequence[str]) -> bool:
    """Whether a CSV has a column for each currency, as the ECB's, and none for base and quote."""
    return header[:1] == ["date"] and "quote" not in header


def add_wide_row(header: Sequence[str], cells: Sequence[str], reading: Reading, place: str) -> None:
    """One day: its date, then a rate for each currency of ``header``."""
    since = _day(cells[0], reading, f"{place}: date")
    for currency, value in zip(header[1:], cells[1:], strict=True):
        if currency and value not in ("", "N/A"):
            reading.add("eur", currency, value, since, f"{place}: {currency}")


def _day(text: str, reading: Reading, place: str) -> datetime:
    words = text.lower().split()
    if len(words) != 3 or words[1] not in _MONTHS:
        return reading.since(text or "-", place)
    try:
        return datetime(int(words[2]), _MONTHS.index(words[1]) + 1, int(words[0]), tzinfo=UTC)
    except ValueError:
        raise InvalidInput(f"{place}: {text!r} is not a day") from None
