"""Columns and JSON fields of a usage and of an import."""

from __future__ import annotations

from aimeter_cli.render.noun import COUNT, FLAG, MAP, MONEY, ROWS, STATUS, TIME, Column, Noun

_USAGE = (
    Column("billable"),
    Column("provider"),
    Column("model"),
    Column("feature"),
    Column("input_tokens", COUNT, header="Input"),
    Column("cached_input_tokens", COUNT, table=False),
    Column("cache_write_tokens", COUNT, table=False),
    Column("output_tokens", COUNT, header="Output"),
    Column("reasoning_tokens", COUNT, table=False),
    Column("cost", MONEY),
    Column("currency", table=False),
    Column("idempotency_key", table=False),
    Column("occurred_at", TIME),
    Column("meta", MAP, table=False),
    Column("id", COUNT, table=False),
    Column("state", STATUS),
    Column("is_new", FLAG, table=False),
    Column("charge", MONEY, currency="charge_currency"),
    Column("charge_currency", table=False),
    Column("overage_id", COUNT, table=False),
    Column("billing_mode", table=False),
    Column("user", table=False),
    Column("tenant", table=False),
    Column("adjusts_id", COUNT, table=False),
    Column("price", MAP, table=False),
    Column("price_source", table=False),
)
USAGE = Noun("usage", _USAGE)
LISTED_USAGE = Noun("usage", tuple(column for column in _USAGE if column.name != "is_new"))
_REPRICED = Noun(
    "repriced usage",
    (
        Column("provider"),
        Column("model"),
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
BAD_LINE = Noun("bad line", (Column("line", COUNT), Column("reason")))
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
