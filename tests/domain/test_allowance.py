"""What is left, and whether one more call is allowed."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from aimeter_cli.domain.allowance import (
    Limit,
    LimitCheck,
    LimitExceeded,
    decide_on_credits,
    decide_on_plan,
    decide_without_plan,
    limits_of,
    tightest,
)
from aimeter_cli.domain.credits import InsufficientCredits, Standing
from aimeter_cli.domain.quota import Terms, Totals

USD = 10**9
TERMS = Terms(1000, 10 * USD, 5, None, Decimal(1), "block")


def check(totals: Totals, terms: Terms = TERMS, **fields: Any) -> LimitCheck:
    given: dict[str, Any] = {
        "billable": "user:42", "billing_mode": "plan", "approaching_percent": 80, "plan": "pro",
        "behavior": terms.behavior, "currency": "usd", "limits": limits_of(terms, totals),
    }  # fmt: skip
    return LimitCheck(**(given | fields))


@pytest.mark.parametrize(
    ("used", "limit", "percent", "remaining", "reached"),
    [
        (0, 1000, "0.00", 1000, False),
        (333, 1000, "33.30", 667, False),
        (2, 3, "66.66", 1, False),
        (99_999, 100_000, "99.99", 1, False),
        (999_999, 1_000_000, "99.99", 1, False),  # never rounded up to all of it
        (1000, 1000, "100.00", 0, True),
        (5100, 1000, "510.00", 0, True),
        (0, 0, "100", 0, True),
        (10**9, None, "0", None, False),
        (Decimal("2.5"), Decimal("7.5"), "33.33", Decimal(5), False),
    ],
)
def test_a_limit_knows_what_is_left_of_it(
    used: Any, limit: Any, percent: str, remaining: Any, reached: bool
) -> None:
    found = Limit("tokens", used, limit)
    assert (str(found.percent), found.remaining, found.is_reached) == (percent, remaining, reached)


@pytest.mark.parametrize(
    ("totals", "tokens", "cost", "reason"),
    [
        (Totals(), 0, "0", None),
        (Totals(), 1000, "10", None),
        (Totals(), 1001, "0", "limit_would_be_passed"),
        (Totals(), 0, "10.000000001", "limit_would_be_passed"),
        (Totals(900, 1), 100, "0", None),
        (Totals(900, 1), 101, "0", "limit_would_be_passed"),
        (Totals(1000, 1), 0, "0", "limit_reached"),
        (Totals(0, 1, 10 * USD), 0, "0", "limit_reached"),
        (Totals(0, 4), 0, "0", None),
        (Totals(0, 5), 0, "0", "limit_reached"),
    ],
)
def test_a_call_is_blocked_once_a_limit_is_reached_or_its_estimate_would_pass_one(
    totals: Totals, tokens: int, cost: str, reason: str | None
) -> None:
    decided = decide_on_plan(check(totals), tokens, Decimal(cost), 1)
    assert (decided.reason, decided.allowed) == (reason, reason is None)
    for behavior in ("allow", "charge"):
        lenient = check(totals, replace(TERMS, behavior=behavior))
        assert decide_on_plan(lenient, tokens, Decimal(cost), 1).allowed


def test_the_words_name_the_limit_and_whose_it_is() -> None:
    words = [
        decide_on_plan(check(totals), tokens, Decimal(0), 1).explanation
        for totals, tokens in ((Totals(900), 0), (Totals(900), 200), (Totals(1, 1, 10 * USD), 0))
    ]
    assert words == [
        "900 of 1,000 tokens (the plan pro)",
        "200 tokens more would pass the token limit: 900 of 1,000 tokens (the plan pro)",
        "the cost limit is used up: 10.00 USD of 10.00 USD (the plan pro)",
    ]
    raised = replace(TERMS, token_limit=5000)
    overridden = check(Totals(900), limits=limits_of(raised, Totals(900), TERMS))
    told = decide_on_plan(overridden, 0, Decimal(0), 1).explanation
    assert told == "900 of 5,000 tokens (a limit override)"


def test_the_figures_are_of_the_limit_of_which_most_is_used() -> None:
    found = check(Totals(790, 1, 8 * USD))
    assert (str(found.usage_percentage), found.is_approaching, found.is_exceeded) == (
        "80.00", True, False,
    )  # fmt: skip
    most = tightest(found.limits)
    assert most is not None
    assert most.kind == "cost"
    assert (found.remaining_tokens, found.remaining_cost, found.remaining_requests) == (
        210, Decimal(2), 4,
    )  # fmt: skip
    unlimited = check(Totals(10**9), Terms(None, None, None, None, Decimal(1), "block"))
    assert (unlimited.remaining_tokens, unlimited.remaining_cost) == (None, None)
    assert (unlimited.usage_percentage, unlimited.is_approaching) == (Decimal(0), False)


def test_who_is_blocked_gets_an_error_with_the_figures() -> None:
    blocked = decide_on_plan(check(Totals(1000)), 0, Decimal(0), 1)
    with pytest.raises(LimitExceeded) as caught:
        blocked.raise_if_blocked()
    assert caught.value.check is blocked
    assert caught.value.message == (
        "user:42 is blocked: the token limit is used up: 1,000 of 1,000 tokens (the plan pro)"
    )
    decide_on_plan(check(Totals(999)), 0, Decimal(0), 1).raise_if_blocked()


@pytest.mark.parametrize(
    ("wallet", "needed", "reason"),
    [
        ({"balance": 5 * USD}, 0, None),
        ({"balance": 5 * USD}, 5 * USD, None),
        ({"balance": 5 * USD}, 5 * USD + 1, "credits_too_low"),
        ({"balance": 5 * USD, "held": 5 * USD}, 0, "no_credits"),
        ({"balance": 0}, 0, "no_credits"),
        ({"balance": 0, "overdraft": USD}, USD, None),
        ({"balance": -USD, "overdraft": USD}, 0, "no_credits"),
        ({"balance": -(10**15), "overdraft": None}, 10**15, None),
        ({"balance": 5 * USD, "has_unpaid": True}, 0, "unpaid_usages"),
        ({"has_wallet": False, "overdraft": None}, 0, "no_credits"),
    ],
)
def test_credits_block_when_nothing_is_available_or_a_usage_is_unpaid(
    wallet: dict[str, Any], needed: int, reason: str | None
) -> None:
    bare = check(Totals(), billing_mode="credits", limits=())
    decided = decide_on_credits(bare, Standing("user:42", "eur", **wallet), needed)
    assert (decided.reason, decided.currency) == (reason, "eur")
    if reason is not None:
        with pytest.raises(InsufficientCredits):
            decided.raise_if_blocked()


@pytest.mark.parametrize(("blocks", "reason"), [(False, None), (True, "no_subscription")])
def test_without_a_subscription_the_configuration_decides(blocks: bool, reason: str | None) -> None:
    bare = LimitCheck(billable="user:42", billing_mode="plan", approaching_percent=80)
    assert decide_without_plan(bare, blocks=blocks).reason == reason
    expired = decide_without_plan(replace(bare, subscription_status="expired"), blocks=True)
    assert expired.explanation == "the subscription is expired"
