"""Columns and JSON fields of a billable."""

from __future__ import annotations

from aimeter_cli.render.noun import COUNT, FLAG, ID, SERIAL, TIME, Column, Noun

BILLABLE = Noun(
    "billable",
    (
        Column("id", SERIAL, table=False),
        Column("billable", ID, get="ref"),
        Column("email"),
        Column("name"),
        Column("currency"),
        Column("stripe_customer_id", ID, header="Stripe customer"),
        Column("created_at", TIME, header="Created"),
        Column("anonymized_at", TIME, table=False),
    ),
    next="aimeter billables show {billable}",
)
ANONYMIZED = Noun(
    "anonymised billable",
    (
        Column("billable", ID),
        Column("is_new", FLAG, header="Anonymised now"),
        Column("anonymized_at", TIME),
        Column("stripe_customer_id", ID, header="Stripe customer"),
        Column("usages", COUNT, header="Usages cleared"),
        Column("webhook_events", COUNT, header="Payloads removed"),
        Column("domain_events", COUNT, header="Events rewritten"),
        Column("sync_attempts", COUNT, header="Requests rewritten"),
    ),
)
