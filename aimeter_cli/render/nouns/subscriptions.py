"""Columns and JSON fields of a subscription, of its Stripe ids, and of what differs there."""

from __future__ import annotations

from dataclasses import replace

from aimeter_cli.render.noun import COUNT, ID, MAP, SERIAL, STATUS, TIME, Column, Noun


def _fact(name: str, kind: str = TIME, *, header: str = "", table: bool = False) -> Column:
    return Column(name, kind, get=f"subscription.{name}", header=header, table=table)  # type: ignore[arg-type]


SUBSCRIPTION = Noun(
    "subscription",
    (
        _fact("id", "serial", table=True),
        Column("billable", ID, get="billable.ref"),
        Column("plan", ID, get="plan.slug"),
        _fact("billing_mode", "text", header="Mode"),
        Column("status", STATUS),
        _fact("started_at", header="Started"),
        Column("renews_at", TIME, header="Renews"),
        _fact("ends_at", header="Ends", table=True),
        _fact("trial_ends_at"),
        _fact("grace_period_ends_at"),
        Column("current_period_start", TIME, table=False, is_dated=True),
        Column("current_period_end", TIME, table=False, is_dated=True),
        Column("stripe_customer_id", ID, get="billable.stripe_customer_id", header="Customer"),
        _fact("stripe_subscription_id", "id", header="Subscription", table=True),
        _fact("meta", MAP),
        Column("next_plan", header="Next plan", table=False),
        Column("plan_changes_at", TIME, header="Plan changes", table=False),
        Column("grace_days_left", COUNT, get="days_left", header="Days left", table=False),
        _fact("grace_invoice_id", "id", header="Unpaid invoice"),
    ),
    next="aimeter subscriptions show {billable}",
)

_IN_GRACE = (
    "id", "billable", "plan", "grace_period_ends_at", "grace_days_left", "grace_invoice_id",
    "stripe_customer_id", "stripe_subscription_id",
)  # fmt: skip
GRACE = Noun(
    "subscription in grace",
    tuple(replace(SUBSCRIPTION.column(name), table=True) for name in _IN_GRACE),
    next=SUBSCRIPTION.next,
)
"""For people, who want to know how long it lasts."""

FOUND_IDS = Noun(
    "stripe ids of a billable",
    (
        Column("billable", ID),
        Column("stripe_customer_id", ID, header="Customer"),
        Column("stripe_subscription_id", ID, header="Subscription"),
        Column("found_by"),
        Column("status", STATUS),
        Column("reason"),
    ),
)

DEVIATION = Noun(
    "difference from Stripe",
    (
        Column("billable", ID),
        Column("subscription_id", SERIAL, header="ID"),
        Column("stripe_subscription_id", ID, header="Subscription"),
        Column("field"),
        Column("ours"),
        Column("theirs", header="Stripe"),
        Column("status", STATUS),
        Column("reason"),
    ),
)
