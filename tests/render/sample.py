"""A noun of every kind of column, with rows ordinary, empty and hostile."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from aimeter_cli.render.noun import (
    COUNT,
    FLAG,
    LIST,
    MAP,
    MONEY,
    NUMBER,
    ROWS,
    STATUS,
    TIME,
    Column,
    Noun,
)

PART = Noun("part", (Column("n", COUNT), Column("name")))
SAMPLE = Noun(
    "sample",
    (
        Column("id", COUNT),
        Column("name", get=lambda row: row["who"]["name"]),
        Column("limit", COUNT, none="unlimited"),
        Column("amount", MONEY, currency="money"),
        Column("money", table=False),
        Column("rate", NUMBER),
        Column("since", TIME),
        Column("on", FLAG),
        Column("status", STATUS),
        Column("tags", LIST),
        Column("meta", MAP, table=False),
        Column("parts", ROWS, of=PART, table=False),
    ),
)

ORDINARY: dict[str, Any] = {
    "id": 1,
    "who": {"name": "Ada"},
    "limit": 1_000_000,
    "amount": Decimal("1234.5"),
    "money": "usd",
    "rate": Decimal("0.850"),
    "since": datetime(2026, 11, 1, 12, 0, 0, 250_000, tzinfo=UTC),
    "on": True,
    "status": "active",
    "tags": ["a", "b"],
    "meta": {"k": 1, "deep": {"x": [1]}},
    "parts": [{"n": 1, "name": "one"}, {"n": 2, "name": "two"}],
}
EMPTY: dict[str, Any] = {
    **dict.fromkeys(ORDINARY),
    "id": 2,
    "who": {"name": None},
    "money": "usd",
    "tags": [],
    "meta": {},
    "parts": [],
}
HOSTILE: dict[str, Any] = {**ORDINARY, "id": -3, "who": {"name": "=1|[red]\x1b[2J\u202e"}}
