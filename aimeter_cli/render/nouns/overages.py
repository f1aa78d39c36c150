"""Columns and JSON fields of an overage."""

from __future__ import annotations

from aimeter_cli.render.noun import COUNT, FLAG, MONEY, NUMBER, STATUS, TIME, Column, Noun

OVERAGE = Noun(
    "overage",
    (
        Column("id", COUNT),
        Column("billable"),
        Column("subscription_id", COUNT, table=False),
        Column("period_start", TIME, header="Period"),
        Column("period_end", TIME, table=False),
        Column("tokens", COUNT),
        Column("amount", MONEY),
        Column("currency", table=False),
        Column("status", STATUS),
        Column("is_synced", FLAG, table=False),
        Column("synced_at", TIME, header="Synced"),
        Column("stripe_invoice_item_id", header="Stripe item"),
        Column("attempts", COUNT, table=False),
        Column("last_error", header="Last error"),
        Column("reason", table=False),
        Column("charge_amount", MONEY, currency="charge_currency", table=False),
        Column("charge_currency", table=False),
        Column("exchange_rate", NUMBER, table=False),
        Column("is_external", FLAG, table=False),
        Column("run_id", table=False),
    ),
)
STRANDED = Noun("overage", (*OVERAGE.columns, Column("stranded_reason", STATUS, header="Stranded")))
