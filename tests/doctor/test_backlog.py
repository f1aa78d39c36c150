"""The doctor names usages that are counted but not priced, with what to type."""

from __future__ import annotations

from typing import Any

from tests.conftest import Cli

NOW = ("--as-of", "2026-11-15T12:00:00Z")


def record(cli: Cli, *cost: str) -> None:
    done = cli(
        "usage", "record", "--billable", "user:1", "--provider", "openai", "--model", "new",
        "--input-tokens", "10", *cost, *NOW,
    )  # fmt: skip
    assert done.code == 0, done.err


def usages(cli: Cli) -> list[tuple[Any, ...]]:
    checks = cli("doctor", "--format", "json").json
    return [
        (check["status"], check["detail"], check["hint"])
        for check in checks
        if check["name"] == "usages"
    ]


def test_usages_without_price_or_rate_are_named_with_what_to_type(cli: Cli) -> None:
    assert usages(cli) == [("ok", "every one is priced", None)]
    cli("plans", "create", "Pro", "--cost-limit", "1")
    cli("subscriptions", "create", "--billable", "user:1", "--plan", "pro",
        "--started-at", "2026-11-01", *NOW)  # fmt: skip
    record(cli)
    record(cli, "--cost", "10", "--currency", "gbp")
    rest = "Until then not charged by cost."
    assert usages(cli) == [
        ("warning", "1 in gbp without a rate into usd: openai new",
         f"aimeter rates set gbp usd RATE, then aimeter usage reprice. {rest}"),
        ("warning", "1 without a price: openai new",
         f'Add a price under [prices.openai."new"], then aimeter usage reprice. {rest}'),
    ]  # fmt: skip
