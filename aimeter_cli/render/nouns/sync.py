"""Columns and JSON fields of a sync's summary."""

from __future__ import annotations

from aimeter_cli.render.noun import (
    COUNT,
    FLAG,
    LIST,
    MAP,
    ROWS,
    STATUS,
    TIME,
    Column,
    Noun,
)

SYNC_ITEM = Noun(
    "item",
    (
        Column("billable"),
        Column("stripe_customer_id", header="Customer"),
        Column("stripe_invoice_item_id", header="Item"),
        Column("currency"),
        Column("amount_minor", COUNT, header="Amount (minor)"),
        Column("overages", LIST),
        Column("status", STATUS),
        Column("error"),
        Column("request_id", table=False),
        Column("request", MAP, table=False),
    ),
)
BLOCKED = Noun(
    "blocked",
    (
        Column("reason", STATUS),
        Column("count", COUNT),
        Column("billables", LIST),
        Column("overages", LIST, header="First IDs"),
        Column("detail"),
        Column("hint"),
    ),
)
FINAL_INVOICE = Noun(
    "final invoice",
    (
        Column("billable"),
        Column("stripe_customer_id", header="Customer"),
        Column("stripe_invoice_id", header="Final invoice"),
        Column("currency"),
        Column("amount_minor", COUNT, header="Amount (minor)"),
        Column("items", LIST),
        Column("overages", LIST),
        Column("status", STATUS),
        Column("error"),
    ),
)
SUMMARY = Noun(
    "sync",
    (
        Column("run_id"),
        Column("dry_run", FLAG),
        Column("selected", COUNT),
        Column("synced", COUNT),
        Column("failed", COUNT),
        Column("unknown", COUNT),
        Column("deferred", COUNT),
        Column("blocked", COUNT, get="blocked_count"),
        Column("remaining", COUNT),
        Column("seconds", COUNT),
        Column("items", ROWS, of=SYNC_ITEM),
        Column("carried", COUNT),
        Column("closed", COUNT),
        Column("final_invoices", ROWS, of=FINAL_INVOICE),
        Column("blocked_reasons", ROWS, get="blocked", of=BLOCKED),
        Column("notices", LIST),
    ),
)
STATE = Noun(
    "sync state",
    (
        Column("install_id"),
        Column("is_paused", FLAG),
        Column("paused_at", TIME),
        Column("paused_reason"),
    ),
)
