"""Overrides, checks and plan changes from outside."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.test_nouns import AT, PRO, SUBSCRIBE
from tests.conftest import Cli

OVERRIDE_JSON: dict[str, Any] = {
    "id": 1,
    "billable": "user:42",
    "status": "running",
    "starts_at": "2026-11-01T00:00:00Z",
    "ends_at": "2026-12-01T00:00:00Z",
    "token_limit": 5_000_000,
    "cost_limit": "12.500000000",
    "currency": "usd",
    "request_limit": None,
    "lifts": ["requests"],
    "reason": "launch",
    "created_at": "2026-11-15T12:00:00Z",
}
SET = (
    "overrides", "set", "user:42", "--tokens", "5,000,000", "--cost", "12.5", "--requests",
    "unlimited", "--reason", "launch", *AT,
)  # fmt: skip
USE = (
    "usage", "record", "--billable", "user:42", "--provider", "p", "--model", "m", "--cost", "0",
    *AT, "--input-tokens",
)  # fmt: skip


@pytest.fixture
def subscribed(cli: Cli) -> Cli:
    """``user:42`` on pro: 1,000,000 tokens, then charged."""
    for command in (PRO, SUBSCRIBE):
        assert cli(*command).code == 0
    return cli


def test_an_override_is_set_listed_and_removed(subscribed: Cli) -> None:
    made = subscribed(*SET, "--format", "json")
    assert (made.code, made.json, list(made.json)) == (0, OVERRIDE_JSON, list(OVERRIDE_JSON))
    listed = subscribed("overrides", "list", "--billable", "user:42", *AT, "--format", "json")
    assert listed.json == [OVERRIDE_JSON]
    later = ("--as-of", "2026-11-20T00:00:00Z", "--format", "json")
    removed = subscribed("overrides", "remove", 1, *later)
    assert removed.json == OVERRIDE_JSON | {"ends_at": "2026-11-20T00:00:00Z", "status": "ended"}
    assert removed.err == "It has ended now.\n"
    assert subscribed("overrides", "list", *later).json == []
    assert len(subscribed("overrides", "list", "--all", *later).json) == 1
    again = subscribed("overrides", "remove", 1, *later)
    assert (again.code, again.out) == (1, "")


def test_a_second_override_of_the_same_time_is_refused_with_what_to_type(subscribed: Cli) -> None:
    subscribed(*SET)
    again = subscribed(*SET)
    assert (again.code, again.out) == (1, "")
    assert "hint: aimeter overrides remove 1" in again.err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "give --tokens, --cost, --requests or several of them"),
        (("--tokens", "x"), "--tokens: 'x' is not a whole number"),
        (("--tokens", "-1"), "--tokens: '-1' is not a whole number"),
        (("--cost", "-1"), "--cost: cannot be negative"),
        (("--tokens", "1", "--until", "2026-11-01"), "--until: 2026-11-01T00:00:00Z does not lie"),
        (("--tokens", "1", "--from", "soon"), "--from: 'soon' is not a time"),
    ],
)
def test_a_bad_override_names_the_option_and_changes_nothing(
    options: tuple[str, ...], told: str, subscribed: Cli
) -> None:
    done = subscribed("overrides", "set", "user:42", *options, *AT)
    assert (done.code, done.out) == (2, "")
    assert told in done.err
    assert subscribed("overrides", "list", "--all", "--format", "json").json == []


def test_an_override_of_the_past_is_set_with_a_warning(subscribed: Cli) -> None:
    past = ("--from", "2026-10-01", "--until", "2026-11-01")
    done = subscribed("overrides", "set", "user:42", "--tokens", 1, *past, *AT)
    assert done.code == 0
    assert "warning: It is over already" in done.err


def test_a_rehearsed_override_is_not_there(subscribed: Cli) -> None:
    assert subscribed(*SET, "--dry-run").err == "dry run: nothing was changed\n"
    assert subscribed("overrides", "list", "--all", "--format", "json").json == []


def test_a_check_says_what_is_left_and_exits_1_when_blocked(subscribed: Cli) -> None:
    subscribed("plans", "update", "pro", "--overage-behavior", "block")
    subscribed(*USE, 900_000)
    found = subscribed("usage", "check", "user:42", *AT, "--format", "json")
    assert (found.code, found.err) == (0, "")
    assert found.json == {
        "billable": "user:42",
        "allowed": True,
        "reason": None,
        "explanation": "900,000 of 1,000,000 tokens (the plan pro)",
        "plan": "pro",
        "subscription_status": "active",
        "billing_mode": "plan",
        "behavior": "block",
        "is_overridden": False,
        "period_start": "2026-11-01T00:00:00Z",
        "period_end": "2026-12-01T00:00:00Z",
        "currency": "usd",
        "tokens_used": 900_000,
        "token_limit": 1_000_000,
        "remaining_tokens": 100_000,
        "cost_used": "0.000000000",
        "cost_limit": None,
        "remaining_cost": None,
        "requests_used": 1,
        "request_limit": None,
        "remaining_requests": None,
        "usage_percentage": "90.00",
        "is_approaching": True,
        "is_exceeded": False,
        "wallet_balance": None,
        "wallet_held": None,
    }
    blocked = subscribed("usage", "check", "user:42", "--tokens", "100,001", *AT)
    assert blocked.code == 1
    assert "100,001 tokens more would pass the token limit" in blocked.out
    for form in ("plain", "markdown", "csv", "tsv", "jsonl", "table"):
        assert subscribed("usage", "check", "user:42", *AT, "--format", form).code == 0


def test_a_plan_change_at_renewal_is_shown_and_takes_effect(subscribed: Cli) -> None:
    subscribed("plans", "create", "Team")
    subscribed("subscriptions", "set-stripe-ids", "user:42", "--subscription", "sub_1", *AT)
    done = subscribed(
        "subscriptions", "change-plan", "user:42", "--to", "team", "--from-plan", "pro",
        "--at", "renewal", *AT, "--format", "json",
    )  # fmt: skip
    assert (done.code, done.json["plan"], done.json["next_plan"]) == (0, "pro", "team")
    assert done.json["plan_changes_at"] == "2026-12-01T00:00:00Z"
    assert "warning: Stripe goes on billing sub_1 as before" in done.err
    later = ("--as-of", "2026-12-01T00:00:00Z", "--format", "json")
    shown = subscribed("subscriptions", "show", "user:42", *later).json
    assert (shown["plan"], shown["next_plan"], shown["plan_changes_at"]) == ("team", None, None)
    guarded = ("subscriptions", "change-plan", 1, "--to", "pro", "--from-plan", "pro", *later)
    refused = subscribed(*guarded)
    assert (refused.code, refused.out) == (1, "")
    assert "error: the subscription 1 is on the plan team, not pro" in refused.err
