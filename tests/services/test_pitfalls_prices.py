"""The predecessor's faults about prices and rates, and what users of its peers complain of.

The number in a test's name is that of PITFALLS.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from tests.conftest import Cli, Result

AT = ("--as-of", "2026-11-15T12:00:00Z")


def run(cli: Cli, *args: object, **env: str) -> Result:
    return cli(*args, *AT, "--format", "json", env=env)


def record(cli: Cli, model: str, tokens: int, *words: object, **env: str) -> Any:
    done = run(
        cli, "usage", "record", "--billable", "user:42", "--provider", "openai", "--model", model,
        "--input-tokens", tokens, *words, **env,
    )  # fmt: skip
    assert done.code == 0, done.err
    return done.json


def subscribe(cli: Cli, *terms: object) -> None:
    for words in (
        ("plans", "create", "Pro", "--overage-behavior", "charge", *terms),
        (
            "subscriptions",
            "create",
            "--billable",
            "user:42",
            "--plan",
            "pro",
            "--started-at",
            "2026-11-01",
        ),
    ):
        done = run(cli, *words)
        assert done.code == 0, done.err


def test_pitfall_12_the_price_of_excess_tokens_is_what_they_are_charged_with(cli: Cli) -> None:
    subscribe(cli, "--token-limit", 1000, "--overage-price-per-1k", "0.02")
    usage = record(cli, "gpt-4o-mini", 51_000)
    assert (usage["cost"], usage["charge"]) == ("0.007650000", "1.000000000")


def test_a_list_whose_charges_are_in_another_currency_counts_no_usage_twice(cli: Cli) -> None:
    words = ("--token-limit", 1000, "--overage-price-per-1k", "0.02", "--currency", "eur")
    subscribe(cli, *words)
    record(cli, "gpt-4o-mini", 51_000)
    assert run(cli, "usage", "list").err.splitlines()[:2] == [
        "charged 1.00 EUR",
        "1 usage(s), 51,000 tokens, cost 0.00765 USD",
    ]


@pytest.mark.parametrize("command", ["list", "reprice"])
def test_pitfall_17_no_sum_crosses_currencies(cli: Cli, command: str) -> None:
    own = json.dumps({
        "openai": {"a": {"input_per_1m": "1"}, "b": {"input_per_1m": "2", "currency": "eur"}}
    })  # fmt: skip
    env = {"AI_METERING_PRICES": own} if command == "list" else {}
    for model in ("a", "b"):
        record(cli, model, 1_000_000, **env)
    if command == "list":
        assert run(cli, "usage", "list").err.splitlines() == [
            "1 usage(s), 1,000,000 tokens, cost 2.00 EUR",
            "1 usage(s), 1,000,000 tokens, cost 1.00 USD",
        ]
    else:
        groups = run(cli, "usage", "reprice", AI_METERING_PRICES=own).json["groups"]
        assert [(each["cost"], each["currency"]) for each in groups] == [
            ("1.000000000", "usd"), ("2.000000000", "eur"),
        ]  # fmt: skip


def test_pitfall_25_a_price_without_a_rate_is_never_taken_one_to_one(cli: Cli) -> None:
    subscribe(cli, "--cost-limit", "1")
    own = json.dumps({"openai": {"m": {"input_per_1m": "3", "currency": "eur"}}})
    usage = record(cli, "m", 1_000_000, AI_METERING_PRICES=own)
    assert (usage["state"], usage["cost"], usage["charge"]) == (
        "needs_rate", "3.000000000", "0.000000000",
    )  # fmt: skip
    assert run(cli, "usage", "reprice").json["waiting"] == 1
    run(cli, "rates", "set", "eur", "usd", "2", "--at", "2026-11-14")
    [group] = run(cli, "usage", "reprice").json["groups"]
    assert (group["charge"], group["charge_currency"]) == ("5.000000000", "usd")
    [overage] = run(cli, "overages", "list").json
    assert Decimal(overage["amount"]) == 5
    assert run(cli, "audit").code == 0


def test_pitfall_26_an_unknown_model_never_costs_0(cli: Cli) -> None:
    subscribe(cli, "--token-limit", 0)
    usage = record(cli, "not-out-yet", 1000)
    assert (usage["state"], usage["cost"], usage["price"]) == ("unpriced", None, None)
    assert [row["id"] for row in run(cli, "usage", "list", "--unpriced").json] == [usage["id"]]
    checks = {row["detail"]: row["status"] for row in run(cli, "doctor").json}
    assert checks["1 without a price: openai not-out-yet"] == "warning"
    own = json.dumps({"openai": {"not-out-yet": {"input_per_1m": "7"}}})
    assert run(cli, "usage", "reprice", AI_METERING_PRICES=own).json["priced"] == 1
    [overage] = run(cli, "overages", "list").json
    assert (overage["amount"], overage["tokens"]) == ("0.007000000", 1000)


def test_cached_tokens_are_not_charged_as_fresh_ones(cli: Cli) -> None:
    usage = record(cli, "gpt-4o-mini", 1_000_000, "--cached-input-tokens", 1_000_000)
    assert usage["cost"] == "0.225000000"
    assert record(cli, "gpt-4", 1, "--cached-input-tokens", 1)["state"] == "unpriced"
