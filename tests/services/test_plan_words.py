"""Whoever makes a plan reads what exceeding it will cost."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from aimeter_cli.models.plans import Plan
from aimeter_cli.services.plan_words import overage_in_words, unused_price
from aimeter_cli.settings.table import Settings

D = Decimal
CONFIGURED = "(overage_behavior = block is the configuration's, and follows it.)"
LARGEST = "The largest of these charges counts, not their sum."

TABLE: list[tuple[dict[str, Any], dict[str, Any], list[str]]] = [
    (
        {},
        {},
        ["No limit is set: everything is covered, nothing is ever charged beyond the plan."],
    ),
    (
        {"token_limit": 1_000_000},
        {},
        ["Beyond 1,000,000 tokens a month: calls are blocked.", CONFIGURED],
    ),
    (
        {"token_limit": 0, "request_limit": 10, "overage_behavior": "allow"},
        {"period_type": "daily"},
        ["Beyond 0 tokens or 10 requests a day: usage is tracked, nothing is charged."],
    ),
    (
        {
            "token_limit": 1_000_000,
            "overage_price_per_1k_tokens": D("0.02"),
            "overage_behavior": "charge",
        },
        {},
        ["Beyond 1,000,000 tokens a month: 0.02 USD per 1,000 tokens."],
    ),
    (
        {"token_limit": 5, "overage_price_per_1k_tokens": D(0), "overage_behavior": "charge"},
        {},
        ["Beyond 5 tokens a month: excess tokens are free."],
    ),
    (
        {"token_limit": 5, "cost_limit": D("50"), "request_limit": 9, "overage_behavior": "charge"},
        {"overage_markup": D("1.250"), "period_type": "yearly"},
        [
            "Beyond 5 tokens a year: the cost of the excess tokens × 1.25.",
            "Beyond 50.00 USD of cost a year: the excess cost × 1.25.",
            "Beyond 9 requests a year: the cost of the excess requests × 1.25.",
            LARGEST,
        ],
    ),
    (
        {"token_limit": 5, "overage_behavior": "block", "trial_days": 14},
        {},
        [
            "Beyond 5 tokens a month: calls are blocked.",
            "In the trial of 14 days calls beyond the plan are blocked (trial_overage_behavior).",
        ],
    ),
]


def _plan(**fields: Any) -> Plan:
    return Plan(slug="pro", name="Pro", currency="usd", **fields)


@pytest.mark.parametrize(("plan", "settings", "lines"), TABLE)
def test_the_words_follow_limits_price_behaviour_and_settings(
    plan: dict[str, Any], settings: dict[str, Any], lines: list[str]
) -> None:
    assert overage_in_words(_plan(**plan), Settings(**settings)) == lines


@pytest.mark.parametrize(
    ("fields", "warning"),
    [
        ({"token_limit": 1, "overage_behavior": "charge"}, None),
        (
            {"token_limit": 1},
            "the overage price has no effect while the overage behaviour is block",
        ),
        (
            {"overage_behavior": "charge"},
            "the overage price has no effect without --token-limit",
        ),
    ],
)
def test_a_price_that_charges_nothing_is_pointed_out(
    fields: dict[str, Any], warning: str | None
) -> None:
    plan = _plan(overage_price_per_1k_tokens=D("0.02"), **fields)
    assert unused_price(plan, Settings()) == warning
    assert unused_price(_plan(**fields), Settings()) is None
