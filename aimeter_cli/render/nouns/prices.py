"""Columns and JSON fields of a price."""

from __future__ import annotations

from aimeter_cli.render.noun import COUNT, ID, MONEY, TIME, Column, Noun

PRICE = Noun(
    "price",
    (
        Column("provider", ID),
        Column("model", ID, priority=90),
        Column("above_input_tokens", COUNT, header="Above", priority=30),
        Column("input_per_1m", MONEY, header="Input per 1M"),
        Column("cached_input_per_1m", MONEY, header="Cached", priority=40),
        Column("cache_write_per_1m", MONEY, header="Written", priority=35),
        Column("output_per_1m", MONEY, header="Output"),
        Column("reasoning_per_1m", MONEY, header="Reasoning", priority=30),
        Column("currency", table=False),
        Column("source", priority=25),
        Column("since", TIME, none="always", is_dated=True, priority=20),
    ),
    next="aimeter prices show {provider} {model}",
)
