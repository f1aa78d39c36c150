"""A value as people read it, as a CSV cell, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from aimeter_cli.domain.money import display
from aimeter_cli.domain.periods import iso
from aimeter_cli.render.noun import COUNT, FLAG, LIST, MAP, MONEY, NUMBER, ROWS, TIME, Column, Noun
from aimeter_cli.render.safe import harmless

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""How a formula begins; full width counts in East Asian editions."""


def for_people(noun: Noun, column: Column, row: Any) -> str:
    """A harmless text; money with its currency, times to the second."""
    value = column.value(row)
    if value is None:
        return column.none
    if column.kind == MONEY:
        currency = noun.column(column.currency).value(row)
        return f"{display(value, currency)} {currency.upper()}"
    if column.kind == COUNT:
        return f"{value:,}"
    if column.kind == TIME:
        return iso(value.replace(microsecond=0))
    return harmless(_words(column, value)) or column.none


def separated(column: Column, row: Any) -> str:
    """A cell of CSV or TSV, in which no spreadsheet finds a formula."""
    value = column.value(row)
    if value is None:
        return ""
    if column.kind in (MONEY, COUNT, NUMBER, TIME, FLAG):
        return str(as_json(column, row)).lower() if column.kind == FLAG else _number(column, value)
    text = _text(column, value)
    mark = "'" if text.startswith(_FORMULA) and not _is_number(text) else ""
    return mark + harmless(text)


def as_json(column: Column, row: Any) -> Any:
    """What the JSON document holds: money and other decimals as strings, times in UTC with Z."""
    value = column.value(row)
    if value is None:
        return None
    if column.kind in (MONEY, NUMBER, TIME):
        return _number(column, value)
    if column.kind == LIST:
        return list(value)
    if column.kind == ROWS:
        return [as_object(_of(column), item) for item in value]
    return value


def as_object(noun: Noun, row: Any) -> dict[str, Any]:
    """A row as a JSON object, with every column of its noun."""
    return {column.name: as_json(column, row) for column in noun.columns}


def nested(column: Column, row: Any) -> tuple[Noun, list[Any]]:
    """The noun and the rows of a column of rows."""
    rows: Iterable[Any] = column.value(row) or ()
    return _of(column), list(rows)


def _of(column: Column) -> Noun:
    if column.of is None:
        raise TypeError(f"column {column.name} holds rows and does not say of which noun")
    return column.of


def _words(column: Column, value: Any) -> str:
    """As :func:`_text`, but nothing is named as only Python names it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if column.kind == MAP:
        value = {key: "-" if member is None else member for key, member in value.items()}
    return _text(column, value)


def _number(column: Column, value: Any) -> str:
    if column.kind == MONEY:
        return f"{value:.9f}"
    if isinstance(value, datetime):
        return iso(value)
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _text(column: Column, value: Any) -> str:
    if column.kind == FLAG:
        return "yes" if value else "no"
    if column.kind == LIST:
        return ", ".join(map(str, value))
    if column.kind == MAP:
        return ", ".join(f"{key}={_member(member)}" for key, member in value.items())
    if column.kind in (NUMBER, TIME):
        return _number(column, value)
    return str(value)


def _member(value: Any) -> str:
    if isinstance(value, Mapping | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _is_number(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except ArithmeticError:
        return False
