"""``aimeter credits`` from outside."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Cli

AT = ("--as-of", "2026-11-15T12:00:00Z")
JSON = (*AT, "--format", "json")
ENTRY: dict[str, Any] = {
    "id": 1, "billable": "user:42", "kind": "add", "amount": "50.000000000", "currency": "usd",
    "balance_after": "50.000000000", "reason": "order 1017", "idempotency_key": "order-1017",
    "usage_id": None, "reverses_id": None, "meta": {"ticket": "9"},
    "created_at": "2026-11-15T12:00:00Z",
}  # fmt: skip
ADD = (
    "credits", "add", "user:42", "50", "--reason", "order 1017", "--meta", "ticket=9",
    "--idempotency-key", "order-1017", *JSON,
)  # fmt: skip


def test_credits_are_added_deducted_given_back_and_listed(cli: Cli) -> None:
    assert cli(*ADD).json == ENTRY
    fee = cli("credits", "deduct", "user:42", "7.5", "--reason", "setup fee", *JSON).json
    assert (fee["kind"], fee["amount"], fee["balance_after"]) == (
        "deduct", "-7.500000000", "42.500000000",
    )  # fmt: skip
    back = cli("credits", "refund", fee["id"], "--amount", "2.5", *JSON).json
    assert (back["kind"], back["amount"], back["reverses_id"]) == ("refund", "2.500000000", 2)
    assert cli("credits", "transactions", "user:42", *AT, "--format", "csv").out == (
        "id,billable,kind,amount,currency,balance_after,reason,reverses_id,created_at\n"
        "3,user:42,refund,2.500000000,usd,45.000000000,,2,2026-11-15T12:00:00Z\n"
        "2,user:42,deduct,-7.500000000,usd,42.500000000,setup fee,,2026-11-15T12:00:00Z\n"
        "1,user:42,add,50.000000000,usd,50.000000000,order 1017,,2026-11-15T12:00:00Z\n"
    )
    listed = cli("credits", "transactions", "--kind", "deduct", "--since", "2026-11-15", *JSON)
    assert [entry["id"] for entry in listed.json] == [2]
    for outside in ("--since", "2026-11-15T12:00:01Z"), ("--until", "2026-11-15T12:00:00Z"):
        assert cli("credits", "transactions", *outside, *JSON).json == []
    assert cli("audit").code == 0


def test_a_repeat_shows_the_first_entry_and_says_that_nothing_was_changed(cli: Cli) -> None:
    first = cli(*ADD)
    again = cli(*ADD)
    assert again.out == first.out
    assert (again.code, again.err) == (0, "this key was used before; nothing was changed\n")
    other = cli(*ADD, "--expires-at", "2027-01-01")
    assert (other.code, other.out) == (1, "")
    assert "idempotency key 'order-1017' was used for another entry (1)" in other.err


def test_the_balance_shows_grants_holds_and_what_is_available(cli: Cli) -> None:
    cli("credits", "add", "user:42", "10", "--expires-at", "2026-11-20", *AT)
    cli("credits", "add", "user:42", "5", *AT)
    assert cli("credits", "balance", "user:42", *JSON).json == {
        "billable": "user:42", "currency": "usd", "balance": "15.000000000",
        "held": "0.000000000", "available": "15.000000000", "has_unpaid": False,
        "waits_for": None, "unpaid": [],
        "grants": [
            {"transaction_id": 1, "amount": "10.000000000", "remaining": "10.000000000",
             "currency": "usd", "expires_at": "2026-11-20T00:00:00Z"},
            {"transaction_id": 2, "amount": "5.000000000", "remaining": "5.000000000",
             "currency": "usd", "expires_at": None},
        ],
    }  # fmt: skip
    later = cli("credits", "balance", "user:42", "--as-of", "2026-11-20T00:00:00Z",
                "--format", "json").json  # fmt: skip
    assert (later["balance"], len(later["grants"])) == ("5.000000000", 1)
    cli("credits", "add", "team:7", "1", "--currency", "eur", *AT)
    rows = cli("credits", "balance", *JSON).json
    assert [(row["billable"], row["currency"]) for row in rows] == [
        ("user:42", "usd"), ("team:7", "eur"),
    ]  # fmt: skip
    env = {"AI_METERING_CREDIT_OVERDRAFT": "true"}
    assert "Available      without limit" in cli("credits", "balance", "user:42", env=env).out


def test_a_usage_in_credits_mode_is_paid_and_what_it_lacks_is_told(cli: Cli) -> None:
    cli("plans", "create", "Pro")
    cli(
        "subscriptions",
        "create",
        "--billable",
        "user:42",
        "--plan",
        "pro",
        "--mode",
        "credits",
        *AT,
    )
    cli("credits", "add", "user:42", "5", *AT)
    use = ("usage", "record", "--billable", "user:42", "--provider", "openai", "--model", "m")
    assert cli(*use, "--cost", "3", *JSON).json["state"] == "priced"
    assert cli(*use, "--cost", "3", *JSON).json["state"] == "unpaid"
    wallet = cli("credits", "balance", "user:42", *JSON).json
    assert wallet["unpaid"] == [{"usages": 1, "cost": "3.000000000", "currency": "usd"}]
    assert wallet["waits_for"] == "usage 2, 3.00 USD: more than is available"
    some = cli("credits", "add", "user:42", "0.5", *AT)
    assert some.err == "usages are still unpaid: aimeter credits balance user:42\n"
    enough = cli("credits", "add", "user:42", "10", *AT)
    assert enough.err == "1 unpaid usage(s) were paid; the balance is now 9.50 USD\n"
    assert cli("audit").code == 0


def test_too_few_credits_end_with_1_and_the_figures(cli: Cli) -> None:
    cli("credits", "add", "user:42", "5", *AT)
    refused = cli("credits", "deduct", "user:42", "6", *AT)
    assert (refused.code, refused.out, refused.err) == (
        1, "",
        ("error: user:42 has 5.00 USD of credits available, 6.00 USD are needed\n"
         "hint: aimeter credits add user:42 AMOUNT\n"),
    )  # fmt: skip
    env = {"AI_METERING_CREDIT_OVERDRAFT": "1"}
    assert cli("credits", "deduct", "user:42", "6", *AT, env=env).code == 0


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("add", "user:42", "0"), "AMOUNT: expected more than 0, got 0"),
        (("add", "user:42", "1e-10"), "AMOUNT: 1E-10 has more than nine decimal places"),
        (("add", "user:42", "1", "--expires-at", "2026-11-15"), "--expires-at: 2026-11-15T00:00"),
        (("add", "user:42", "1", "--meta", "x"), "--meta: 'x' is not of the form KEY=VALUE"),
        (("add", "user:42", "1", "--idempotency-key", "usage:1"), "--idempotency-key: 'usage:'"),
        (("transactions", "--kind", "gift"), "--kind: 'gift' is none of add, deduct, usage"),
    ],
)
def test_a_bad_argument_is_named_and_changes_nothing(
    args: tuple[str, ...], told: str, cli: Cli
) -> None:
    refused = cli("credits", *args, *AT)
    assert refused.code == 2
    assert told in refused.err
    assert cli("credits", "transactions", *JSON).json == []


@pytest.mark.parametrize(
    "verb", [("deduct", "user:42", "1"), ("refund", "1"), ("add", "user:42", "1")]
)
def test_every_change_can_be_rehearsed(verb: tuple[str, ...], cli: Cli) -> None:
    cli("credits", "add", "user:42", "5", *AT)
    rehearsed = cli("credits", *verb, "--dry-run", *JSON)
    assert rehearsed.json["id"] == 2
    assert rehearsed.err.endswith("dry run: nothing was changed\n")
    assert len(cli("credits", "transactions", *JSON).json) == 1


def test_who_is_not_there_is_said(cli: Cli) -> None:
    assert "there is no billable user:1" in cli("credits", "balance", "user:1").err
    assert "there is no credit transaction 9" in cli("credits", "refund", "9").err
    assert "No wallet yet" in cli("credits", "balance").err


@pytest.mark.parametrize(
    ("value", "code"), [("true", 0), ("false", 0), ("20", 0), ("-1", 4), ("much", 4)]
)
def test_the_overdraft_is_true_false_or_an_amount(value: str, code: int, cli: Cli) -> None:
    shown = cli("config", "show", env={"AI_METERING_CREDIT_OVERDRAFT": value})
    assert shown.code == code
    if code:
        assert "AI_METERING_CREDIT_OVERDRAFT: expected true, false or an amount" in shown.err
