"""Lists: newest first, pages by object ids (Stripe: "Pagination")."""

import json
import sqlite3
from collections.abc import Callable
from typing import Any

from .call import Call, Json
from .params import Field, Fields
from .refusals import invalid, missing

PAGING: Fields = {
    "limit": Field("integer"),
    "starting_after": Field(),
    "ending_before": Field(),
    "expand": Field("array"),
}

DEFAULT_LIMIT, MAX_LIMIT = 10, 100

COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


class Selection:
    """The conditions of a list, filled in by an endpoint from its filters."""

    def __init__(self, table: str, kind: str, url: str) -> None:
        self.table, self.kind, self.url = table, kind, url
        self.conditions: list[str] = ["deleted = 0"]
        self.values: list[Any] = []

    def where(self, condition: str, *values: Any) -> None:
        """Add a condition in SQL with ``?`` for its values."""
        self.conditions.append(condition)
        self.values.extend(values)

    def equals(self, call: Call, *names: str) -> None:
        """Filter by the parameters of these names, where given, on the columns of those names."""
        for name in names:
            if name in call.params:
                self.where(f"{name} = ?", call.params[name])

    def created(self, call: Call) -> None:
        """Filter by ``created[gt|gte|lt|lte]``, in epoch seconds."""
        for bound, value in call.params.get("created", {}).items():
            self.where(f"created {COMPARISONS[bound]} ?", value)


def page(call: Call, selection: Selection, present: Callable[[Call, sqlite3.Row], Json]) -> Json:
    """One page as Stripe's list object; ``present`` makes an object's JSON from its row."""
    limit = limited(call.params)
    after, before = call.params.get("starting_after"), call.params.get("ending_before")
    if after is not None and before is not None:
        raise invalid("You can only specify one of these parameters: ending_before, starting_after")
    order = "DESC"
    if after is not None:
        selection.where("n < ?", _number(call, selection, after, "starting_after"))
    if before is not None:
        order = "ASC"
        selection.where("n > ?", _number(call, selection, before, "ending_before"))
    rows = call.db.execute(
        f"SELECT * FROM {selection.table} WHERE {' AND '.join(selection.conditions)}"
        f" ORDER BY n {order} LIMIT ?",
        (*selection.values, limit + 1),
    ).fetchall()
    more, rows = len(rows) > limit, rows[:limit]
    if order == "ASC":
        rows.reverse()
    return listing([present(call, row) for row in rows], selection.url, more)


def listing(data: list[Json], url: str, has_more: bool = False) -> Json:
    """Stripe's list object."""
    return {"object": "list", "data": data, "has_more": has_more, "url": url}


def stored(_call: Call, row: sqlite3.Row) -> Json:
    """The object as it is stored."""
    body: Json = json.loads(row["body"])
    return body


def limited(given: Json) -> int:
    """How many objects a page holds; raises the 400 for less than 1 or more than 100."""
    value = int(given.get("limit", DEFAULT_LIMIT))
    for wrong, words in ((value < 1, "greater than or equal to 1"),
                         (value > MAX_LIMIT, f"less than or equal to {MAX_LIMIT}")):  # fmt: skip
        if wrong:
            raise invalid(
                f"Invalid integer: This value must be {words} (it currently is '{value}').",
                "limit",
                "parameter_invalid_integer",
            )
    return value


def _number(call: Call, selection: Selection, object_id: str, param: str) -> int:
    row = call.db.execute(
        f"SELECT n FROM {selection.table} WHERE id = ? AND deleted = 0", (object_id,)
    ).fetchone()
    if row is None:
        raise missing(selection.kind, object_id, param)
    return int(row["n"])
