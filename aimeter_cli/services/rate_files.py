"""Files of rates: JSON, TOML and CSV, read whole before anything is stored.

JSON and TOML: ``{"base": "usd", "date": "2026-11-01", "rates": {"eur": 0.85}}``, as services that
publish rates answer, or a flat ``{"usd_eur": 0.85}``. CSV: columns ``base,quote,rate[,date]``.
Numbers are read as decimals, never as floats.
"""

from __future__ import annotations

import csv
import json
import tomllib
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

from aimeter_cli.domain.currency import currency_code
from aimeter_cli.domain.periods import parse_time
from aimeter_cli.domain.rates import Rate
from aimeter_cli.errors import InvalidInput
from aimeter_cli.settings.parse import rate_value

_COLUMNS = ("base", "quote", "rate", "date")


def read_rates(file: Path, *, source: str | None, today: datetime) -> list[Rate]:
    """Every rate of the file; those without a date hold from ``today``'s midnight UTC.

    Raises InvalidInput that names the file and the line or field.
    """
    reader = {".json": _json, ".toml": _toml, ".csv": _csv}.get(file.suffix.lower())
    if reader is None:
        raise InvalidInput(f"{file}: expected a file that ends in .json, .toml or .csv")
    midnight = datetime.combine(today.astimezone(UTC).date(), time(), UTC)
    try:
        content = file.read_text(encoding="utf-8-sig")
        found = reader(content, source or file.name, midnight)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{file}: cannot be read: {error}") from None
    except InvalidInput as error:
        raise InvalidInput(f"{file}{error.message}") from None
    if not found:
        raise InvalidInput(f"{file}: holds no rate")
    return found


def _json(content: str, source: str, midnight: datetime) -> list[Rate]:
    try:
        document = json.loads(
            content, parse_float=Decimal, parse_constant=_refuse, object_pairs_hook=_once
        )
    except json.JSONDecodeError as error:
        raise InvalidInput(f":{error.lineno}: not JSON: {error.msg}") from None
    return _document(document, source, midnight)


def _toml(content: str, source: str, midnight: datetime) -> list[Rate]:
    try:
        document = tomllib.loads(content, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f": not TOML: {error}") from None
    return _document(document, source, midnight)


def _csv(content: str, source: str, midnight: datetime) -> list[Rate]:
    reader = csv.DictReader(content.splitlines())
    header = [name.strip().lower() for name in reader.fieldnames or ()]
    reader.fieldnames = header
    missing = [name for name in _COLUMNS[:3] if name not in header]
    if missing:
        raise InvalidInput(f":1: no column {missing[0]}: expected {','.join(_COLUMNS)}")
    found = []
    for row in reader:
        place = f":{reader.line_num}"
        if None in row or None in row.values():
            raise InvalidInput(f"{place}: expected {len(header)} cells")
        cells = {name: cell.strip() for name, cell in row.items()}
        since = _since(cells.get("date"), f"{place}: date", midnight)
        found.append(_rate(cells["base"], cells["quote"], cells["rate"], since, source, place))
    return found


def _document(document: Any, source: str, midnight: datetime) -> list[Rate]:
    if not isinstance(document, Mapping):
        raise InvalidInput(": expected an object")
    if "rates" not in document:
        return [
            _rate(*_pair(name), value, midnight, source, f": {name}")
            for name, value in document.items()
        ]
    base, rates = document.get("base"), document["rates"]
    if not isinstance(base, str) or not isinstance(rates, Mapping):
        raise InvalidInput(": expected base, a currency, and rates, an object")
    if document.get("amount", 1) != 1:
        raise InvalidInput(": amount: expected rates for an amount of 1")
    since = _since(document.get("date"), ": date", midnight)
    return [
        _rate(base, quote, value, since, source, f": rates.{quote}")
        for quote, value in rates.items()
        if not (quote.lower() == base.lower() and value == 1)
    ]


def _pair(name: str) -> tuple[str, str]:
    base, underscore, quote = name.partition("_")
    if not underscore:
        raise InvalidInput(f": {name}: expected a pair such as usd_eur, or base, date and rates")
    return base, quote


def _rate(base: str, quote: str, value: Any, since: datetime, source: str, place: str) -> Rate:
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            raise InvalidInput(f"expected a decimal number, got {value!r}")
        pair = currency_code(base), currency_code(quote)
        if pair[0] == pair[1]:
            raise InvalidInput("a rate needs two currencies")
        return Rate(*pair, rate_value(value, "rate"), since, source)
    except InvalidInput as error:
        raise InvalidInput(f"{place}: {error.message}") from None


def _since(value: Any, place: str, midnight: datetime) -> datetime:
    """A TOML date, or an ISO 8601 text; nothing: today."""
    if value is None or value == "":
        return midnight
    if isinstance(value, date):
        value = value.isoformat()
    if not isinstance(value, str):
        raise InvalidInput(f"{place}: expected a date such as 2026-11-01")
    return parse_time(value, place)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise InvalidInput(f": {name}: given twice")
        found[name] = value
    return found


def _refuse(name: str) -> Any:
    raise InvalidInput(f": {name} is not a number")
