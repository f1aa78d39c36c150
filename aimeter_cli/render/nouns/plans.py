"""Columns and JSON fields of a plan."""

from __future__ import annotations

from aimeter_cli.render.noun import COUNT, FLAG, ID, LIST, MONEY, SERIAL, Column, Noun

_UNLIMITED = "unlimited"

PLAN = Noun(
    "plan",
    (
        Column("id", SERIAL, get="plan.id", table=False),
        Column("slug", ID, get="plan.slug"),
        Column("name", get="plan.name", priority=30),
        Column("currency", get="plan.currency", table=False),
        Column("token_limit", COUNT, get="plan.token_limit", none=_UNLIMITED),
        Column("cost_limit", MONEY, get="plan.cost_limit", none=_UNLIMITED),
        Column("request_limit", COUNT, get="plan.request_limit", none=_UNLIMITED),
        Column(
            "overage_price_per_1k_tokens",
            MONEY,
            get="plan.overage_price_per_1k_tokens",
            header="Per 1k tokens",
        ),
        Column(
            "overage_behavior", get="plan.overage_behavior", header="Overage", none="configured"
        ),
        Column("trial_days", COUNT, get="plan.trial_days", table=False),
        Column("features", LIST, get="plan.features", table=False),
        Column("is_active", FLAG, get="plan.is_active", header="Active", priority=45),
        Column("stripe_prices", LIST, table=False),
    ),
    next="aimeter plans show {slug}",
)
