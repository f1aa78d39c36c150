"""Columns and JSON fields of a sync's summary."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from aimeter_cli.domain.money import from_nanos, minor_to_nanos
from aimeter_cli.render.noun import (
    COUNT,
    FLAG,
    ID,
    LIST,
    MAP,
    MONEY,
    ROWS,
    STATUS,
    TIME,
    Column,
    Noun,
)


def _major(row: Any) -> Decimal:
    return from_nanos(minor_to_nanos(row.amount_minor, row.currency))


_AMOUNT = Column("amount", MONEY, get=_major)
"""For people, who count in major units."""
_OVERAGES = Column("overages", COUNT, get=lambda row: len(row.overages), priority=20)
SYNC_ITEM = Noun(
    "item",
    (
        Column("billable", ID),
        Column("stripe_customer_id", ID, header="Customer"),
        Column("stripe_invoice_item_id", ID, header="Item"),
        Column("currency"),
        Column("amount_minor", COUNT, header="Amount (minor)"),
        Column("overages", LIST),
        Column("status", STATUS),
        Column("error", priority=25),
        Column("request_id", table=False),
        Column("request", MAP, table=False),
    ),
    people=(
        Column("billable", ID),
        Column("stripe_customer_id", ID, header="Customer", priority=35),
        Column("stripe_invoice_item_id", ID, header="Item"),
        _AMOUNT,
        _OVERAGES,
        Column("status", STATUS),
        Column("error", priority=25),
    ),
)
BLOCKED = Noun(
    "blocked",
    (
        Column("reason", STATUS),
        Column("count", COUNT),
        Column("billables", LIST),
        Column("overages", LIST, header="First IDs"),
        Column("detail", priority=30),
        Column("hint", priority=20),
    ),
)
FINAL_INVOICE = Noun(
    "final invoice",
    (
        Column("billable", ID),
        Column("stripe_customer_id", ID, header="Customer"),
        Column("stripe_invoice_id", ID, header="Final invoice"),
        Column("currency"),
        Column("amount_minor", COUNT, header="Amount (minor)"),
        Column("items", LIST),
        Column("overages", LIST),
        Column("status", STATUS),
        Column("error", priority=25),
    ),
    people=(
        Column("billable", ID),
        Column("stripe_customer_id", ID, header="Customer", priority=35),
        Column("stripe_invoice_id", ID, header="Final invoice"),
        _AMOUNT,
        _OVERAGES,
        Column("status", STATUS),
        Column("error", priority=25),
    ),
)
SUMMARY = Noun(
    "sync",
    (
        Column("run_id", ID),
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
        Column("install_id", ID),
        Column("is_paused", FLAG, good=False),
        Column("paused_at", TIME),
        Column("paused_reason"),
    ),
)
