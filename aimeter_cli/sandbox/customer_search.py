"""Search of customers (Stripe: "Search", the query language).

``email:"ada@example.com"``, ``metadata["key"]:"value"``, ``name~"part"``; ``-`` negates, ``null``
asks for what is not set, clauses are joined by AND or by OR. Upper and lower case are alike.
"""

import re
from typing import Any

from .call import Call, Json
from .lists import limited, stored
from .params import Field, Fields
from .refusals import invalid

URL = "/v1/customers/search"

SEARCH: Fields = {
    "expand": Field("array"),
    "limit": Field("integer"),
    "page": Field(),
    "query": Field(required=True),
}

_STRING = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
_CLAUSE = re.compile(
    rf"\s*(?P<not>-?)(?P<field>[a-z_]+)(?:\[(?P<key>{_STRING})\])?"
    rf"(?P<sign>[:~])(?P<value>{_STRING}|null)(?:\s+(?P<join>AND|OR|and|or)\s+|\s+|\s*$)"
)
_FIELDS = ("email", "name", "phone")


def search(call: Call) -> Json:
    """``GET /v1/customers/search``: newest first; ``page`` is an answer's ``next_page``."""
    condition, values = _parsed(call.params["query"])
    limit, page = limited(call.params), call.params.get("page")
    if page is not None:
        if not page.isdigit():
            raise invalid("Invalid page.", "page")
        condition, values = f"n < ? AND ({condition})", [int(page), *values]
    rows = call.db.execute(
        f"SELECT * FROM customers WHERE deleted = 0 AND {condition} ORDER BY n DESC LIMIT ?",
        (*values, limit + 1),
    ).fetchall()
    more, rows = len(rows) > limit, rows[:limit]
    return {
        "object": "search_result",
        "data": [stored(call, row) for row in rows],
        "has_more": more,
        "next_page": str(rows[-1]["n"]) if more else None,
        "url": URL,
    }


def _parsed(query: str) -> tuple[str, list[Any]]:
    """The query as a condition in SQL with its values; raises the 400 for one that is none."""
    position, conditions, values, joins = 0, [], [], set()
    while position < len(query):
        clause = _CLAUSE.match(query, position)
        if clause is None:
            raise invalid(f"We were unable to parse your search query near: {query[position:]}",
                          "query")  # fmt: skip
        condition, more = _clause(clause)
        conditions.append(condition)
        values += more
        position = clause.end()
        if position < len(query):
            joins.add((clause["join"] or "AND").upper())
    if len(joins) > 1:
        raise invalid("You can't combine AND and OR in one search query.", "query")
    return "(" + f" {joins.pop() if joins else 'AND'} ".join(conditions) + ")", values


def _clause(clause: re.Match[str]) -> tuple[str, list[Any]]:
    field, key, value = clause["field"], clause["key"], clause["value"]
    if field == "metadata" and key is not None:
        column = "(SELECT m.value FROM json_each(body, '$.metadata') AS m WHERE m.key = ?)"
        values: list[Any] = [_unquoted(key)]
    elif field in _FIELDS and key is None:
        column, values = f"json_extract(body, '$.{field}')", []
    else:
        raise invalid(f"Field `{field}` is an unsupported search field for resource `customers`.",
                      "query")  # fmt: skip
    if value == "null":
        condition = f"{column} IS NULL"
    elif clause["sign"] == ":":
        condition = f"COALESCE(lower({column}) = lower(?), 0)"
        values.append(_unquoted(value))
    else:
        condition = f"COALESCE(instr(lower({column}), lower(?)) > 0, 0)"
        values.append(_unquoted(value))
    return f"NOT {condition}" if clause["not"] else condition, values


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])
