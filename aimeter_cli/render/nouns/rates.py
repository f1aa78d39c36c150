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
        Column("is_too_old", FLAG, header="Too old"),
    ),
)

STORED_RATE = Noun("stored rate", (*_PAIR, *_ORIGIN, Column("effect", STATUS)))

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
