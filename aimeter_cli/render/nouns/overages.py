"""Columns and JSON fields of an overage."""

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

OVERAGE = Noun(
    "overage",
    (
        Column("id", SERIAL),
        Column("billable", ID),
        Column("subscription_id", SERIAL, table=False),
        Column("period_start", TIME, header="Period", is_dated=True),
        Column("period_end", TIME, table=False, is_dated=True),
        Column("tokens", COUNT),
        Column("amount", MONEY),
        Column("currency", table=False),
        Column("status", STATUS),
        Column("is_synced", FLAG, table=False),
        Column("synced_at", TIME, header="Synced"),
        Column("stripe_invoice_item_id", ID, header="Stripe item", priority=35),
        Column("attempts", COUNT, table=False),
        Column("last_error", header="Last error", priority=30),
        Column("reason", table=False),
        Column("charge_amount", MONEY, currency="charge_currency", table=False),
        Column("charge_currency", table=False),
        Column("exchange_rate", NUMBER, table=False),
        Column("is_external", FLAG, table=False),
        Column("run_id", ID, table=False),
    ),
    next="aimeter overages explain {id}",
)
STRANDED = Noun(
    "overage",
    (*OVERAGE.columns, Column("stranded_reason", STATUS, header="Stranded")),
    next=OVERAGE.next,
)
