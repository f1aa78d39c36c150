"""What a noun's rows have to show: declared once, for every format."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal[
    "text", "id", "serial", "money", "count", "number", "time", "flag", "status", "list", "map",
    "rows",
]  # fmt: skip
TEXT: Kind = "text"
ID: Kind = "id"  # a text by which something is named: never broken
SERIAL: Kind = "serial"  # a row's own number, without separators
MONEY: Kind = "money"  # a Decimal in major units, beside the column that names its currency
COUNT: Kind = "count"  # an integer
NUMBER: Kind = "number"  # a Decimal that is no money: rates, factors
TIME: Kind = "time"  # aware
FLAG: Kind = "flag"
STATUS: Kind = "status"
LIST: Kind = "list"  # of texts
MAP: Kind = "map"  # a JSON object
ROWS: Kind = "rows"  # rows of another noun

_PRIORITIES: dict[Kind, int] = {
    MONEY: 70, STATUS: 70, SERIAL: 60, ID: 60, NUMBER: 60, TEXT: 50, COUNT: 50, TIME: 40,
    FLAG: 40, ROWS: 30, LIST: 20, MAP: 10,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """One field.

    ``get``: a dotted path from the row, a function of it, or empty for the field's own name.
    ``none``: what people see for None. ``currency``: the column that names a money's currency.
    ``table``: stands in lists, not only in ``show`` and JSON. ``priority``: which columns keep
    their place in the line of a narrow terminal, the highest longest; a kind has its own.
    ``is_dated``: a time that is read as a date, not as an age. ``good``: which answer of a flag is
    the good one, where one is.
    """

    name: str
    kind: Kind = TEXT
    get: str | Callable[[Any], Any] = ""
    header: str = ""
    none: str = "-"
    currency: str = "currency"
    table: bool = True
    of: Noun | None = None
    priority: int = 0
    is_dated: bool = False
    good: bool | None = None

    @property
    def rank(self) -> int:
        """The priority that was given, or that of its kind."""
        return self.priority or _PRIORITIES[self.kind]

    @property
    def is_foldable(self) -> bool:
        """Whether its cells are prose: broken between words where the line is too short."""
        return self.kind in (TEXT, LIST, MAP)

    @property
    def title(self) -> str:
        """The heading that people read."""
        words = self.name.replace("_", " ").capitalize()
        return self.header or re.sub(r"\bid$", "ID", words, flags=re.IGNORECASE)

    @property
    def is_right(self) -> bool:
        """Whether its cells are aligned to the right, as numbers are."""
        return self.kind in (SERIAL, MONEY, COUNT, NUMBER)

    def value(self, row: Any) -> Any:
        if callable(self.get):
            return self.get(row)
        for name in (self.get or self.name).split("."):
            row = row[name] if isinstance(row, Mapping) else getattr(row, name)
        return row


@dataclass(frozen=True, slots=True)
class Noun:
    """A name and its columns, in the order of the JSON fields.

    ``people``: the columns of a table for people, where these are not those of CSV. ``totals``: the
    money that a list's footer sums up, by currency. ``next``: the command that a list's footer
    names, with fields of its first row: ``aimeter plans show {slug}``.
    """

    name: str
    columns: tuple[Column, ...]
    people: tuple[Column, ...] = ()
    totals: tuple[str, ...] = ()
    next: str = ""

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    def named(self, *names: str) -> tuple[Column, ...]:
        """Some of its columns, in that order."""
        return tuple(self.column(name) for name in names)

    @property
    def listed(self) -> tuple[Column, ...]:
        """The columns of a table for people."""
        return self.people or self._in_tables

    @property
    def separated(self) -> tuple[Column, ...]:
        """The columns of CSV and TSV: those of the table, with the currencies of its money."""
        currencies = {column.currency for column in self._in_tables if column.kind == MONEY}
        return tuple(
            column
            for column in self.columns
            if (column.table or column.name in currencies) and column.kind != ROWS
        )

    @property
    def _in_tables(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.table)
