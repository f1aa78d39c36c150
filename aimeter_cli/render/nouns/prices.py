"""Columns and JSON fields of a price."""

from __future__ import annotations

from aimeter_cli.render.noun import COUNT, MONEY, TIME, Column, Noun

PRICE = Noun(
    "price",
    (
        Column("provider"),
        Column("model"),
        Column("above_input_tokens", COUNT, header="Above"),
        Column("input_per_1m", MONEY, header="Input per 1M"),
        Column("cached_input_per_1m", MONEY, header="Cached"),
        Column("cache_write_per_1m", MONEY, header="Written"),
        Column("output_per_1m", MONEY, header="Output"),
        Column("reasoning_per_1m", MONEY, header="Reasoning"),
        Column("currency", table=False),
        Column("source"),
        Column("since", TIME, none="always"),
    ),
)
