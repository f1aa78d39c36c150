"""What a noun's rows have to show: declared once, for every format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["text", "money", "count", "number", "time", "flag", "status", "list", "map", "rows"]
TEXT: Kind = "text"
MONEY: Kind = "money"  # a Decimal in major units, beside the column that names its currency
COUNT: Kind = "count"  # an integer
NUMBER: Kind = "number"  # a Decimal that is no money: rates, factors
TIME: Kind = "time"  # aware
FLAG: Kind = "flag"
STATUS: Kind = "status"
LIST: Kind = "list"  # of texts
MAP: Kind = "map"  # a JSON object
ROWS: Kind = "rows"  # rows of another noun


@dataclass(frozen=True, slots=True)
class Column:
    """One field.

    ``get``: a dotted path from the row, a function of it, or empty for the field's own name.
    ``none``: what people see for None. ``currency``: the column that names a money's currency.
    ``table``: stands in lists, not only in ``show`` and JSON.
    """

    name: str
    kind: Kind = TEXT
    get: str | Callable[[Any], Any] = ""
    header: str = ""
    none: str = "-"
    currency: str = "currency"
    table: bool = True
    of: Noun | None = None

    @property
    def title(self) -> str:
        """The heading that people read."""
        if self.name == "id":
            return "ID"
        return self.header or self.name.replace("_", " ").capitalize()

    @property
    def is_right(self) -> bool:
        """Whether its cells are aligned to the right, as numbers are."""
        return self.kind in (MONEY, COUNT, NUMBER)

    def value(self, row: Any) -> Any:
        if callable(self.get):
            return self.get(row)
        for name in (self.get or self.name).split("."):
            row = row[name] if isinstance(row, Mapping) else getattr(row, name)
        return row


@dataclass(frozen=True, slots=True)
class Noun:
    """A name and its columns, in the order of the JSON fields."""

    name: str
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    @property
    def listed(self) -> tuple[Column, ...]:
        """The columns of a table for people."""
        return tuple(column for column in self.columns if column.table)

    @property
    def separated(self) -> tuple[Column, ...]:
        """The columns of CSV and TSV: those of the table, with the currencies of its money."""
        currencies = {column.currency for column in self.listed if column.kind == MONEY}
        return tuple(
            column
            for column in self.columns
            if (column.table or column.name in currencies) and column.kind != ROWS
        )
