"""Columns and JSON fields of rates and conversions."""

from __future__ import annotations

from aimeter_cli.render.noun import (
    COUNT,
    FLAG,
    ID,
    MONEY,
    NUMBER,
    SERIAL,
    STATUS,
    TIME,
    Column,
    Noun,
)

_PAIR = (Column("base", ID), Column("quote", ID, priority=95), Column("rate", NUMBER, get="value"))
_ORIGIN = (
    Column("effective_at", TIME, header="Since", is_dated=True),
    Column("source", priority=30),
)

RATE = Noun(
    "rate",
    (
        *_PAIR,
        *_ORIGIN,
        Column("age_days", COUNT, header="Age in days"),
        Column("status", STATUS),
        Column("is_too_old", FLAG, table=False),
        Column("held_id", SERIAL, header="Held ID"),
        Column("previous", NUMBER, table=False),
    ),
    next="aimeter rates history {base} {quote}",
)

STORED_RATE = Noun(
    "stored rate",
    (
        *_PAIR,
        *_ORIGIN,
        Column("effect", STATUS),
        Column("previous", NUMBER),
        Column("held_id", SERIAL, header="Held ID"),
    ),
)

REMOVED_RATE = Noun("removed rate", (*_PAIR, *_ORIGIN))

CONVERSION = Noun(
    "conversion",
    (
        Column("amount", MONEY),
        Column("currency"),
        Column("result", MONEY, currency="result_currency"),
        Column("result_currency"),
        Column("rate", NUMBER),
        Column("via"),
        Column("at", TIME, is_dated=True),
    ),
)
