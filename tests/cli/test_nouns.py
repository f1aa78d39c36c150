"""The simple nouns from outside: binding JSON fields, notices, and what pipes see."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Cli

PRO = (
    "plans", "create", "Pro", "--token-limit", "1_000_000", "--overage-price-per-1k", "0.02",
    "--overage-behavior", "charge", "--feature", "chat", "--feature", "export",
    "--stripe-price", "price_1",
)  # fmt: skip
PRO_JSON: dict[str, Any] = {
    "id": 1,
    "slug": "pro",
    "name": "Pro",
    "currency": "usd",
    "token_limit": 1_000_000,
    "cost_limit": None,
    "request_limit": None,
    "overage_price_per_1k_tokens": "0.020000000",
    "overage_behavior": "charge",
    "trial_days": 0,
    "features": ["chat", "export"],
    "is_active": True,
    "stripe_prices": ["price_1"],
}
AT = ("--as-of", "2026-11-15T12:00:00Z")
SUBSCRIBE = (
    "subscriptions", "create", "--billable", "user:42", "--plan", "pro", "--stripe-customer",
    "cus_1", "--meta", "k=v", *AT,
)  # fmt: skip
SUBSCRIPTION_JSON: dict[str, Any] = {
    "id": 1,
    "billable": "user:42",
    "plan": "pro",
    "billing_mode": "plan",
    "status": "active",
    "started_at": "2026-11-15T12:00:00Z",
    "renews_at": "2026-12-01T00:00:00Z",
    "ends_at": None,
    "trial_ends_at": None,
    "grace_period_ends_at": None,
    "current_period_start": "2026-11-01T00:00:00Z",
    "current_period_end": "2026-12-01T00:00:00Z",
    "stripe_customer_id": "cus_1",
    "stripe_subscription_id": None,
    "meta": {"k": "v"},
    "next_plan": None,
    "plan_changes_at": None,
    "grace_days_left": None,
    "grace_invoice_id": None,
}


def test_a_plan_is_made_and_its_price_said_in_words(cli: Cli) -> None:
    made = cli(*PRO, "--format", "json")
    assert (made.code, made.json) == (0, PRO_JSON)
    assert list(made.json) == list(PRO_JSON)
    assert made.err == "Beyond 1,000,000 tokens a month: 0.02 USD per 1,000 tokens.\n"
    assert cli("plans", "show", "pro", "--format", "json").json == PRO_JSON
    assert cli("plans", "list", "--format", "json").json == [PRO_JSON]


def test_a_list_of_plans_is_plain_in_a_pipe_and_a_table_on_a_terminal(cli: Cli) -> None:
    cli(*PRO)
    assert cli("plans", "list").out == (
        "Slug    Name      Token limit    Cost limit    Request limit    Per 1k tokens  Overage"
        "    Active\n"
        "pro     Pro         1,000,000     unlimited        unlimited         0.02 USD  charge"
        "     yes\n"
    )
    shown = cli("plans", "list", "--no-color", terminal=True).out
    assert "1,000,000" in shown
    assert "─" in shown


def test_a_rehearsal_says_so(cli: Cli) -> None:
    made = cli(*PRO, "--dry-run")
    assert made.err.splitlines()[-1] == "dry run: nothing was changed"
    assert cli("plans", "list", "--format", "json").json == []


def test_an_update_says_when_it_holds(cli: Cli) -> None:
    cli(*PRO)
    cli(*SUBSCRIBE)
    changed = cli(
        "plans", "update", "pro", "--no-token-limit", "--no-overage-price", "--no-features",
        "--no-overage-behavior", "--request-limit", "5", "--format", "json",
    )  # fmt: skip
    assert changed.json == {
        **PRO_JSON,
        "token_limit": None,
        "overage_price_per_1k_tokens": None,
        "features": [],
        "overage_behavior": None,
        "request_limit": 5,
    }
    assert changed.err == (
        "Beyond 5 requests a month: calls are blocked.\n"
        "(overage_behavior = block is the configuration's, and follows it.)\n"
        "1 live subscription(s): a period that has begun keeps its limits and prices; "
        "the changes hold from the next one.\n"
    )


def test_a_limit_cannot_be_set_and_lifted(cli: Cli) -> None:
    cli(*PRO)
    done = cli("plans", "update", "pro", "--token-limit", "5", "--no-token-limit")
    assert (done.code, done.err) == (
        2,
        "error: --token-limit and its --no-… contradict each other\n",
    )


def test_archiving_says_what_it_means(cli: Cli) -> None:
    cli(*PRO)
    assert cli("plans", "archive", "pro").err == (
        "pro is now closed to new subscriptions; 0 live one(s) go on.\n"
    )
    assert cli("plans", "archive", "pro").err.startswith("pro is already closed")
    assert cli("plans", "archive", "pro", "--undo").err.startswith("pro is now open to")


@pytest.mark.parametrize(
    ("text", "value"),
    [("1000", 1000), ("1_000", 1000), ("1,000", 1000), ("0", 0), ("1,000,000", 1_000_000)],
)
def test_numbers_may_be_grouped(text: str, value: int, cli: Cli) -> None:
    made = cli("plans", "create", "P", "--token-limit", text, "--format", "json")
    assert made.json["token_limit"] == value


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("--token-limit", "1k"), ("--token-limit", "1.5"), ("--token-limit", "1,00"),
        ("--token-limit", "1e3"), ("--token-limit=-1", ""), ("--cost-limit", "12,5"),
        ("--cost-limit=-1", ""), ("--overage-price-per-1k", "0.0000000001"),
        ("--overage-price-per-1k", "free"), ("--trial-days=-1", ""), ("--currency", "btc"),
        ("--overage-behavior", "explode"),
    ],
)  # fmt: skip
def test_a_bad_value_is_wrong_usage(option: str, text: str, cli: Cli) -> None:
    done = cli("plans", "create", "P", option, *([text] if text else []))
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")


def test_hostile_names_cannot_touch_the_terminal(cli: Cli) -> None:
    name = "[red]x\x1b[2J\u202e|=1"
    cli("plans", "create", name, "--slug", "x")
    for format in ("table", "plain", "markdown", "csv", "tsv", "json", "jsonl"):  # noqa: A001
        out = cli("plans", "list", "--format", format).out
        assert "\x1b" not in out
        assert "\u202e" not in out
        assert "[red]x" in out
    assert cli("plans", "list", "--format", "json").json[0]["name"] == name


def test_a_billable_is_made_listed_and_changed(cli: Cli) -> None:
    made = cli("billables", "create", "user:42", "--name", "Ada", *AT, "--format", "json")
    expected = {
        "id": 1,
        "billable": "user:42",
        "email": None,
        "name": "Ada",
        "currency": None,
        "stripe_customer_id": None,
        "created_at": "2026-11-15T12:00:00Z",
        "anonymized_at": None,
    }
    assert made.json == expected
    changed = cli("billables", "update", "user:42", "--currency", "EUR", "--format", "json")
    assert changed.json == {**expected, "currency": "eur"}
    assert cli("billables", "show", "user:42", "--format", "json").json == changed.json
    assert cli("billables", "list", "--format", "jsonl").out.count("\n") == 1
    again = cli("billables", "create", "user:42")
    assert (again.code, again.err) == (
        1,
        "error: the billable user:42 exists already\nhint: aimeter billables update user:42 …\n",
    )


def test_a_subscription_has_its_binding_fields(cli: Cli) -> None:
    cli(*PRO)
    made = cli(*SUBSCRIBE, "--format", "json")
    assert made.json == SUBSCRIPTION_JSON
    assert list(made.json) == list(SUBSCRIPTION_JSON)
    assert cli("subscriptions", "show", "user:42", *AT, "--format", "json").json == made.json
    assert cli("subscriptions", "show", "1", *AT, "--format", "json").json == made.json
    listed = cli("subscriptions", "list", "--missing-stripe-ids", *AT, "--format", "json")
    assert listed.json == [made.json]


def test_a_subscription_before_its_start_has_no_period(cli: Cli) -> None:
    cli(*PRO)
    made = cli(*SUBSCRIBE, "--started-at", "2026-12-24", "--format", "json").json
    assert (made["status"], made["renews_at"], made["current_period_start"]) == (
        "scheduled", None, None,
    )  # fmt: skip


def test_a_stripe_subscription_is_not_cancelled_by_us(cli: Cli) -> None:
    cli(*PRO)
    cli(*SUBSCRIBE)
    ids = ("--subscription", "sub_1", *AT, "--format", "json")
    moved = cli("subscriptions", "set-stripe-ids", "user:42", *ids)
    assert moved.json == {**SUBSCRIPTION_JSON, "stripe_subscription_id": "sub_1"}
    ended = cli("subscriptions", "cancel", "user:42", *AT, "--format", "json")
    assert (ended.json["status"], ended.json["ends_at"]) == ("canceled", "2026-11-15T12:00:00Z")
    assert ended.err == "The Stripe subscription sub_1 goes on: cancel it there, too.\n"


def test_an_end_at_once_is_asked_about_on_a_terminal_and_scripts_go_on_as_ever(cli: Cli) -> None:
    cli(*PRO)
    cli(*SUBSCRIBE)
    cancel = ("subscriptions", "cancel", "user:42", *AT)
    declined = cli(*cancel, terminal=True, stdin="n\n")
    assert "End the subscription 1 of user:42 (pro) now, for good?" in declined.err
    assert declined.code == 1
    assert cli("subscriptions", "show", "1", *AT, "--format", "json").json["ends_at"] is None
    assert cli(*cancel, "--dry-run", terminal=True).code == 0
    assert cli(*cancel, "--at-period-end", terminal=True).code == 0  # it can be taken back
    for more in ({}, {"terminal": True}):
        cli(*SUBSCRIBE)
        words = ("--yes",) if more else ()
        ended = cli(*cancel, *words, "--format", "json", **more)
        assert (ended.code, ended.json["status"]) == (0, "canceled")
    cli(*SUBSCRIBE)
    assert cli(*cancel, terminal=True, stdin="y\n").code == 0


def test_meta_is_key_and_value(cli: Cli) -> None:
    cli(*PRO)
    done = cli(*SUBSCRIBE, "--meta", "novalue")
    assert (done.code, done.err) == (
        2,
        "error: --meta: 'novalue' is not of the form KEY=VALUE\n",
    )


def test_renews_at_beside_calendar_periods_is_pointed_out(cli: Cli) -> None:
    cli(*PRO)
    renews = (*SUBSCRIBE, "--renews-at", "2026-12-15")
    assert "--renews-at is shown, and cuts no period" in cli(*renews, "--dry-run").err
    anchored = cli(*renews, "--period-alignment", "rolling", "--format", "json")
    assert anchored.err == ""
    assert anchored.json["current_period_end"] == "2026-12-15T00:00:00Z"


def test_nothing_to_expire_is_done(cli: Cli) -> None:
    done = cli("subscriptions", "expire")
    assert (done.code, done.out, done.err) == (0, "", "Nothing to expire.\n")


def test_every_format_ends_every_list(cli: Cli) -> None:
    cli(*PRO)
    for format in ("table", "plain", "markdown", "csv", "tsv", "json", "jsonl"):  # noqa: A001
        assert cli("plans", "list", "--format", format).out.endswith("\n")
