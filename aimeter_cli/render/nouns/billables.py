"""Columns and JSON fields of a billable."""

from __future__ import annotations

from aimeter_cli.render.noun import COUNT, TIME, Column, Noun

BILLABLE = Noun(
    "billable",
    (
        Column("id", COUNT, table=False),
        Column("billable", get="ref"),
        Column("email"),
        Column("name"),
        Column("currency"),
        Column("stripe_customer_id", header="Stripe customer"),
        Column("created_at", TIME, header="Created"),
    ),
)
