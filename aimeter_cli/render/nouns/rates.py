"""Columns and JSON fields of rates and conversions."""

from __future__ import annotations

from aimeter_cli.render.noun import COUNT, FLAG, MONEY, NUMBER, STATUS, TIME, Column, Noun

_PAIR = (Column("base"), Column("quote"), Column("rate", NUMBER, get="value"))
_ORIGIN = (Column("effective_at", TIME, header="Since"), Column("source"))

RATE = Noun(
    "rate",
    (
        *_PAIR,
        *_ORIGIN,
        Column("age_days", COUNT),
        Column("status", STATUS),
        Column("is_too_old", FLAG, table=False),
        Column("held_id", COUNT, header="Held ID"),
        Column("previous", NUMBER, table=False),
    ),
)

STORED_RATE = Noun(
    "stored rate",
    (
        *_PAIR,
        *_ORIGIN,
        Column("effect", STATUS),
        Column("previous", NUMBER),
        Column("held_id", COUNT, header="Held ID"),
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
        Column("at", TIME),
    ),
)
