"""``aimeter audit`` and ``overages explain`` from outside."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from aimeter_cli.sandbox.client import SandboxControl
from tests.cli.test_main_job import owe, sync, use
from tests.conftest import Cli

CLEAN = "Everything adds up: 1 usages, 1 overages, 1 items"
AUDIT_FIELDS = [
    "adds_up", "usages", "overages", "items", "items_at_stripe", "differences", "totals", "notes",
    "lost",
]  # fmt: skip
DIFFERENCE_FIELDS = [
    "check", "billable", "record", "detail", "expected", "found", "difference", "currency", "hint",
]  # fmt: skip


@pytest.fixture
def charged(cli: Cli, billing: SandboxControl, customer: Callable[[], str]) -> SandboxControl:
    """10.00 USD of user:42 on an invoice item at the sandbox."""
    owe(cli, customer=customer())
    assert sync(cli).code == 0
    return billing


def plant(statement: str) -> None:
    with sqlite3.connect(Path("aimeter.db")) as connection:
        connection.execute(statement)
    connection.close()


def test_what_adds_up_is_exit_0_and_a_balance(cli: Cli, charged: SandboxControl) -> None:
    done = cli("audit", "--remote")
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith(f"{CLEAN}, 1 at Stripe.\n")
    [totals] = cli("audit", "--format", "json").json["totals"]
    assert totals == {
        "billable": "all", "currency": "usd", "overages": "10.000000000",
        "items": "10.000000000",
        **dict.fromkeys(
            ("carry", "unsent", "in_flight", "held", "waived", "external", "by_person",
             "difference"), "0.000000000"
        ),
    }  # fmt: skip


def test_a_planted_nano_is_exit_1_and_a_list(cli: Cli, charged: SandboxControl) -> None:
    plant("UPDATE ai_overages SET amount = amount + 1")
    done = cli("audit", "--format", "json")
    assert done.code == 1
    assert list(done.json) == AUDIT_FIELDS
    assert (done.json["adds_up"], done.json["items_at_stripe"]) == (False, None)
    first = done.json["differences"][0]
    assert list(first) == DIFFERENCE_FIELDS
    assert first == {
        "check": "overages", "billable": "user:42", "record": "overage 1",
        "detail": "its usages charge 10.00 USD, it amounts to 10.000000001 USD",
        "expected": "10.000000000", "found": "10.000000001", "difference": "0.000000001",
        "currency": "usd", "hint": "aimeter overages explain 1",
    }  # fmt: skip
    shown = cli("audit")
    assert (shown.code, "aimeter overages explain 1" in shown.out) == (1, True)
    assert shown.out.endswith("2 difference(s) among 1 usages, 1 overages, 1 items.\n")
    lines = cli("audit", "--format", "csv").out.splitlines()
    assert [line.partition(",")[0] for line in lines] == ["check", "overages", "conversions"]


def test_a_cent_and_a_deleted_item_at_stripe_are_exit_1(cli: Cli, charged: SandboxControl) -> None:
    [item] = charged.items()
    charged.person_change_item(item["id"], 999)
    done = cli("audit", "--remote", "--format", "json")
    assert (done.code, done.json["differences"][0]["difference"]) == (1, "-0.010000000")
    charged.person_delete_item(item["id"])
    done = cli("audit", "--remote", "--format", "json")
    assert (done.code, done.json["differences"][0]["difference"]) == (1, "-10.000000000")
    assert cli("audit").code == 0


def test_an_audit_changes_nothing(cli: Cli, charged: SandboxControl) -> None:
    before = charged.effects()
    with sqlite3.connect("aimeter.db") as connection:
        rows = list(connection.iterdump())
        cli("audit", "--remote")
        assert list(connection.iterdump()) == rows
    connection.close()
    assert charged.effects() == before


@pytest.mark.parametrize(
    ("env", "code", "told"),
    [
        ({"AI_METERING_BILLING_DRIVER": "null"}, 4, "there is nowhere to send"),
        ({"STRIPE_API_KEY": ""}, 4, "STRIPE_API_KEY is not set"),
        ({"STRIPE_API_KEY": "sk_test_forbidden"}, 4, "the key may not ask whose account"),
        ({"STRIPE_API_BASE": "http://127.0.0.1:9"}, 1, "Stripe cannot be asked"),
    ],
)
def test_stripe_that_cannot_be_asked_has_its_exit_code(
    cli: Cli, charged: SandboxControl, env: dict[str, str], code: int, told: str
) -> None:
    done = cli("audit", "--remote", env=env)
    assert (done.code, done.out) == (code, "")
    assert told in done.err
    assert cli("audit", env=env).code == 0


def test_the_audit_of_one_billable_names_it(cli: Cli, charged: SandboxControl) -> None:
    done = cli("audit", "--billable", "user:42", "--format", "json")
    assert (done.code, done.json["totals"][0]["billable"]) == (0, "user:42")
    assert cli("audit", "--billable", "user:99").code == 1


def test_an_empty_database_adds_up(cli: Cli) -> None:
    assert cli("audit").out == "Everything adds up: 0 usages, 0 overages, 0 items.\n"


def test_an_explanation_is_one_document(cli: Cli, charged: SandboxControl) -> None:
    found = cli("overages", "explain", 1, "--format", "json").json
    assert list(found) == [
        "id", "in_words", "next_step", "overage", "terms", "totals", "charges", "usages",
        "older_usages", "pruned_days", "conversion", "rounding", "item", "final_invoice",
        "attempts", "attempts_in_all", "invoice_status",
    ]  # fmt: skip
    [item] = charged.items()
    [usage] = found["usages"]
    [attempt] = found["attempts"]
    assert found["overage"]["stripe_invoice_item_id"] == item["id"]
    assert (usage["charge"], usage["cost"]) == ("10.000000000", "0.100000000")
    assert found["terms"]["overage_price_per_1k_tokens"] == "0.020000000"
    assert found["rounding"]["remainder"] == "0.000000000"
    assert attempt["request"]["metadata"] == item["metadata"]
    assert attempt["request_id"].startswith("req_")
    assert cli("overages", "explain", 1, "--format", "csv").code == 0


def test_an_explanation_is_one_page_in_the_order_of_the_money(
    cli: Cli, charged: SandboxControl
) -> None:
    [item] = charged.items()
    for number in range(3):
        assert use(cli, "user:42", "--idempotency-key", f"k{number}", tokens=1_000).code == 0
    page = cli("overages", "explain", 2, "--usages", 1).out
    parts = [
        "Overage 2 is 0.06 USD of user:42 beyond the plan pro", "Terms, as they were",
        "1,000", "The whole period", "the largest decides",
        "503,000 tokens beyond 1,000, at 0.02 USD per 1,000", "Usages that this overage charges",
        "and 2 older ones: 2,000 tokens, 0.04 USD", "Conversion", "Invoice item\nnone\n",
    ]  # fmt: skip
    places = [page.index(part) for part in parts]
    assert places == sorted(places)
    synced = cli("overages", "explain", 1, "--format", "markdown").out
    assert f"It is on the pending invoice item {item['id']}." in synced
    assert "\n## Rounding\n" in synced
    assert "req_" in synced[synced.index("## Requests to Stripe") :]
    assert cli("overages", "explain", 99).code == 1


def test_hostile_text_begins_no_line_of_an_explanation(cli: Cli, charged: SandboxControl) -> None:
    reason = "x\n\x1b[2JOverage 1 was paid"
    assert cli("overages", "waive", 1, "--reason", reason, "--yes").code == 0
    page = cli("overages", "explain", 1, terminal=True)
    assert "\x1b[2J" not in page.out
    assert r"It was waived: x\n\x1b[2JOverage 1 was paid." in page.out
