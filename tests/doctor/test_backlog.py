"""The doctor names usages that are counted but not priced or not paid, with what to type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.conftest import Cli

NOW = ("--as-of", "2026-11-15T12:00:00Z")


def record(cli: Cli, *cost: str) -> None:
    done = cli(
        "usage", "record", "--billable", "user:1", "--provider", "openai", "--model", "new",
        "--input-tokens", "10", *cost, *NOW,
    )  # fmt: skip
    assert done.code == 0, done.err


def usages(cli: Cli, name: str = "usages") -> list[tuple[Any, ...]]:
    checks = cli("doctor", "--format", "json").json
    return [
        (check["status"], check["detail"], check["hint"])
        for check in checks
        if check["name"] == name
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
         ("aimeter rates update --from ecb-90d, or aimeter rates set gbp usd RATE --at "
         f"2026-11-15; then aimeter usage reprice. {rest}")),
        ("warning", "1 without a price: openai new",
         f'Add a price under [prices.openai."new"], then aimeter usage reprice. {rest}'),
    ]  # fmt: skip


def test_usages_that_no_wallet_paid_are_counted_until_credits_come(cli: Cli) -> None:
    assert usages(cli, "unpaid usages") == [("ok", "none", None)]
    cli("plans", "create", "Pro")
    cli("subscriptions", "create", "--billable", "user:1", "--plan", "pro",
        "--mode", "credits", "--started-at", "2026-11-01", *NOW)  # fmt: skip
    record(cli, "--cost", "3")
    record(cli, "--cost", "4")
    assert usages(cli, "unpaid usages") == [
        ("warning", "2 usage(s) of 1 billable(s) in credits mode are not paid, such as user:1",
         "aimeter credits add user:1 AMOUNT pays the oldest first."),
    ]  # fmt: skip
    done = cli("credits", "add", "user:1", "10")
    assert done.code == 0, done.err
    assert usages(cli, "unpaid usages") == [("ok", "none", None)]


def test_a_database_that_was_empty_is_a_warning(cli: Cli, isolated: Path) -> None:
    """Its path may be mistyped: nothing is amiss in it, for there is nothing in it."""
    url = f"sqlite:///{isolated / 'typo.db'}"
    checks = cli("doctor", "--format", "json", "--database-url", url).json
    [found] = [check for check in checks if check["name"] == "migration"]
    assert (found["status"], "the database was empty" in found["detail"]) == ("warning", True)
    assert "aimeter config show" in found["hint"]
