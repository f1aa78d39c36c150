"""Documents of rates: JSON, TOML, CSV, and those of the ECB, read whole before anything is stored.

JSON and TOML: ``{"base": "usd", "date": "2026-11-01", "rates": {"eur": 0.85}}``, as services that
publish rates answer, ``rates`` of many days keyed by date, or a flat ``{"usd_eur": 0.85}``; JSON
also ``{"base", "quote", "rate", "date"}``, or a list of such. CSV: columns
``base,quote,rate[,date]``, or the ECB's. A zip holds one CSV. Numbers are read as decimals, never
as floats.
"""

from __future__ import annotations

import csv
import json
import re
import tomllib
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any

from aimeter_cli.domain.rates import Rate
from aimeter_cli.errors import InvalidInput
from aimeter_cli.services.rates_sources.ecb import add_wide_row, is_wide, read_xml
from aimeter_cli.services.rates_sources.reading import Reading
from aimeter_cli.services.rates_sources.web import MOST_BYTES, shown
from aimeter_cli.settings.files import open_regular

_COLUMNS = ("base", "quote", "rate", "date")
_BOM = b"\xef\xbb\xbf"


def read_rates(file: Path, *, source: str | None, today: datetime) -> list[Rate]:
    """Every rate of the file; ``source``: by default the file's name. Raises as below."""
    try:
        with open_regular(file) as opened:
            content = opened.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise InvalidInput(f"{file}: cannot be read: {reason}") from None
    if len(content) > MOST_BYTES:
        raise InvalidInput(f"{file}: larger than {MOST_BYTES:,} bytes")
    return read_document(content, str(file), source=source or file.name, today=today)


def read_document(
    content: bytes, name: str, *, source: str, today: datetime, published: bool = False
) -> list[Rate]:
    """Every rate of a document; those without a date hold from ``today``'s midnight UTC.

    ``name``: its path or address, whose ending tells what it is; else its beginning does. Of a
    ``published`` list, currencies that cannot be billed are passed over. Raises InvalidInput that
    names the document and the line or field.
    """
    is_address = "://" in name
    reading = Reading(source, today, published=published)
    called = shown(name) if is_address else name
    try:
        _READERS[_kind(content, called)](content, reading)
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{called}: cannot be read: not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise InvalidInput(f"{called}: nested too deeply") from None
    except InvalidInput as error:
        raise InvalidInput(f"{called}{error.message}") from None
    if not reading.rates:
        raise InvalidInput(f"{called}: holds no rate")
    return reading.rates


def _kind(content: bytes, name: str) -> str:
    ending = PurePosixPath(name).suffix.lower()
    if ending in _READERS:
        return ending
    start = content.removeprefix(_BOM).lstrip()[:1000]
    for kind, pattern in _BEGINNINGS.items():
        if re.match(pattern, start):
            return kind
    raise InvalidInput(
        ": expected JSON, TOML, CSV, or the XML, CSV or zip of the ECB; a file's name ends so"
    )


def _json(content: bytes, reading: Reading) -> None:
    text = content.decode("utf-8-sig")
    try:
        document = json.loads(
            text,
            parse_float=Decimal,
            parse_constant=_refuse,
            object_pairs_hook=_once,
        )
    except json.JSONDecodeError as error:
        raise InvalidInput(f":{error.lineno}: not JSON: {error.msg}") from None
    except ValueError:  # of thousands of digits
        raise InvalidInput(": holds a number that is too long") from None
    if isinstance(document, list):
        for number, entry in enumerate(document):
            _entry(entry, reading, f": [{number}]")
    elif isinstance(document, Mapping) and "rate" in document:
        _entry(document, reading, ": rate")
    else:
        _document(document, reading)


def _entry(entry: Any, reading: Reading, place: str) -> None:
    if not isinstance(entry, Mapping) or not {"base", "quote", "rate"} <= entry.keys():
        raise InvalidInput(f"{place}: expected an object of base, quote, rate and date")
    since = reading.since(entry.get("date"), f"{place}.date")
    reading.add(entry["base"], entry["quote"], entry["rate"], since, place)


def _toml(content: bytes, reading: Reading) -> None:
    text = content.decode("utf-8-sig")
    try:
        document = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f": not TOML: {error}") from None
    except ValueError:
        raise InvalidInput(": holds a number that is too long") from None
    _document(document, reading)


def _document(document: Any, reading: Reading) -> None:
    if not isinstance(document, Mapping):
        raise InvalidInput(": expected an object")
    if "rates" not in document:
        for name, value in document.items():
            base, underscore, quote = name.partition("_")
            if not underscore:
                raise InvalidInput(
                    f": {name}: expected a pair such as usd_eur, or base, date and rates"
                )
            reading.add(base, quote, value, reading.since(None, ""), f": {name}")
        return
    base, rates = document.get("base"), document["rates"]
    if not isinstance(base, str) or not isinstance(rates, Mapping):
        raise InvalidInput(": expected base, a currency, and rates, an object")
    if document.get("amount", 1) != 1:
        raise InvalidInput(": amount: expected rates for an amount of 1")
    is_series = bool(rates) and all(isinstance(day, Mapping) for day in rates.values())
    days = rates if is_series else {document.get("date"): rates}
    for day, of_day in days.items():
        where = f": rates.{day}" if is_series else ": rates"
        since = reading.since(day, where if is_series else ": date")
        for quote, value in of_day.items():
            reading.add(base, quote, value, since, f"{where}.{quote}")


def _csv(content: bytes, reading: Reading) -> None:
    lines = csv.reader(content.decode("utf-8-sig").splitlines())
    try:
        header = [name.strip().lower() for name in next(lines, [])]
        wide = is_wide(header)
        missing = [name for name in _COLUMNS[:3] if name not in header]
        if missing and not wide:
            raise InvalidInput(f":1: no column {missing[0]}: expected {','.join(_COLUMNS)}")
        for row in lines:
            place = f":{lines.line_num}"
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if len(cells) != len(header):
                raise InvalidInput(f"{place}: expected {len(header)} cells")
            if wide:
                add_wide_row(header, cells, reading, place)
                continue
            named = dict(zip(header, cells, strict=True))
            since = reading.since(named.get("date"), f"{place}: date")
            reading.add(named["base"], named["quote"], named["rate"], since, place)
    except csv.Error as error:
        raise InvalidInput(f":{lines.line_num}: not CSV: {error}") from None


def _zip(content: bytes, reading: Reading) -> None:
    import io
    import zipfile
    import zlib

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = [name for name in archive.namelist() if name.lower().endswith(".csv")]
            if len(names) != 1:
                raise InvalidInput(f": expected one CSV in the zip, found {len(names)}")
            with archive.open(names[0]) as file:
                unpacked = file.read(MOST_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError) as error:
        raise InvalidInput(f": not a zip that can be read: {type(error).__name__}") from None
    if len(unpacked) > MOST_BYTES:
        raise InvalidInput(f": {names[0]} is larger than {MOST_BYTES:,} bytes")
    _csv(unpacked, reading)


_READERS: Mapping[str, Callable[[bytes, Reading], None]] = {
    ".json": _json, ".toml": _toml, ".csv": _csv, ".xml": read_xml, ".zip": _zip,
}  # fmt: skip
_BEGINNINGS: Mapping[str, bytes] = {
    ".zip": rb"PK\x03\x04",
    ".xml": rb"<",
    ".json": rb"\{|\[\s*\{",
    ".toml": rb"[^\n,]*=|\[\w+\]",
    ".csv": rb"[^\n=]*,",
}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise InvalidInput(f": {name}: given twice")
        found[name] = value
    return found


def _refuse(name: str) -> Any:
    raise InvalidInput(f": {name} is not a number")
