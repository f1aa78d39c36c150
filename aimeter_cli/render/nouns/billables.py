"""Columns and JSON fields of a billable."""

from __future__ import annotations

from aimeter_cli.render.noun import COUNT, FLAG, TIME, Column, Noun

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
        Column("anonymized_at", TIME, table=False),
    ),
)
ANONYMIZED = Noun(
    "anonymised billable",
    (
        Column("billable"),
        Column("is_new", FLAG, header="Anonymised now"),
        Column("anonymized_at", TIME),
        Column("stripe_customer_id", header="Stripe customer"),
        Column("usages", COUNT, header="Usages cleared"),
        Column("webhook_events", COUNT, header="Payloads removed"),
        Column("domain_events", COUNT, header="Events rewritten"),
        Column("sync_attempts", COUNT, header="Requests rewritten"),
    ),
)
