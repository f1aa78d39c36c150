"""Columns and JSON fields of a usage and of an import."""

from __future__ import annotations

from aimeter_cli.render.noun import (
    COUNT,
    FLAG,
    ID,
    MAP,
    MONEY,
    ROWS,
    SERIAL,
    STATUS,
    TIME,
    Column,
    Noun,
)

_USAGE = (
    Column("billable", ID),
    Column("provider", ID, priority=30),
    Column("model", ID),
    Column("feature", ID, priority=25),
    Column("input_tokens", COUNT, header="Input"),
    Column("cached_input_tokens", COUNT, table=False),
    Column("cache_write_tokens", COUNT, table=False),
    Column("output_tokens", COUNT, header="Output"),
    Column("reasoning_tokens", COUNT, table=False),
    Column("cost", MONEY),
    Column("currency", table=False),
    Column("idempotency_key", ID, table=False),
    Column("occurred_at", TIME, header="Occurred"),
    Column("meta", MAP, table=False),
    Column("id", SERIAL, table=False),
    Column("state", STATUS),
    Column("is_new", FLAG, table=False),
    Column("charge", MONEY, currency="charge_currency"),
    Column("charge_currency", table=False),
    Column("overage_id", SERIAL, table=False),
    Column("billing_mode", table=False),
    Column("user", table=False),
    Column("tenant", table=False),
    Column("adjusts_id", SERIAL, table=False),
    Column("price", MAP, table=False),
    Column("price_source", table=False),
)
USAGE = Noun("usage", _USAGE)
LISTED_USAGE = Noun(
    "usage",
    tuple(column for column in _USAGE if column.name != "is_new"),
    next="aimeter usage check {billable}",
)
_REPRICED = Noun(
    "repriced usage",
    (
        Column("provider", ID),
        Column("model", ID),
        Column("state", STATUS),
        Column("usages", COUNT),
        Column("cost", MONEY),
        Column("currency", table=False),
        Column("charge", MONEY, currency="charge_currency"),
        Column("charge_currency", table=False),
        Column("source"),
    ),
)
REPRICING = Noun(
    "repricing",
    (
        Column("dry_run", FLAG, table=False),
        Column("selected", COUNT),
        Column("priced", COUNT),
        Column("waiting", COUNT),
        Column("groups", ROWS, of=_REPRICED),
    ),
)
BAD_LINE = Noun("bad line", (Column("line", SERIAL), Column("reason")))
IMPORT = Noun(
    "import",
    (
        Column("file"),
        Column("dry_run", FLAG, table=False),
        Column("lines", COUNT),
        Column("recorded", COUNT),
        Column("repeated", COUNT),
        Column("bad", COUNT),
        Column("unpriced", COUNT),
        Column("needs_rate", COUNT),
        Column("charged", COUNT, header="Charged usages"),
        Column("stopped", FLAG, table=False),
        Column("errors", ROWS, of=BAD_LINE),
    ),
)
