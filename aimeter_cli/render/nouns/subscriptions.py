"""Columns and JSON fields of a subscription, of its Stripe ids, and of what differs there."""

from __future__ import annotations

from aimeter_cli.render.noun import COUNT, MAP, STATUS, TIME, Column, Noun


def _fact(name: str, kind: str = TIME, *, header: str = "", table: bool = False) -> Column:
    return Column(name, kind, get=f"subscription.{name}", header=header, table=table)  # type: ignore[arg-type]


SUBSCRIPTION = Noun(
    "subscription",
    (
        _fact("id", COUNT, table=True),
        Column("billable", get="billable.ref"),
        Column("plan", get="plan.slug"),
        _fact("billing_mode", "text", header="Mode"),
        Column("status", STATUS),
        _fact("started_at", header="Started"),
        Column("renews_at", TIME, header="Renews"),
        _fact("ends_at", header="Ends", table=True),
        _fact("trial_ends_at"),
        _fact("grace_period_ends_at"),
        Column("current_period_start", TIME, table=False),
        Column("current_period_end", TIME, table=False),
        Column("stripe_customer_id", get="billable.stripe_customer_id", header="Customer"),
        _fact("stripe_subscription_id", "text", header="Subscription", table=True),
        _fact("meta", MAP),
        Column("next_plan", header="Next plan", table=False),
        Column("plan_changes_at", TIME, header="Plan changes", table=False),
    ),
)

_IN_GRACE = (
    "id", "billable", "plan", "grace_period_ends_at", "stripe_customer_id", "stripe_subscription_id"
)  # fmt: skip
GRACE = Noun(
    "subscription in grace",
    (
        *(SUBSCRIPTION.column(name) for name in _IN_GRACE),
        Column("days_left", COUNT),
        _fact("grace_invoice_id", "text", header="Unpaid invoice", table=True),
    ),
)
"""For people, who want to know how long it lasts."""

FOUND_IDS = Noun(
    "stripe ids of a billable",
    (
        Column("billable"),
        Column("stripe_customer_id", header="Customer"),
        Column("stripe_subscription_id", header="Subscription"),
        Column("found_by"),
        Column("status", STATUS),
        Column("reason"),
    ),
)

DEVIATION = Noun(
    "difference from Stripe",
    (
        Column("billable"),
        Column("subscription_id", COUNT, header="ID"),
        Column("stripe_subscription_id", header="Subscription"),
        Column("field"),
        Column("ours"),
        Column("theirs", header="Stripe"),
        Column("status", STATUS),
        Column("reason"),
    ),
)
