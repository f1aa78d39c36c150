"""The commands that find Stripe ids and compare with Stripe, on the sandbox."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from sqlmodel import select

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.periods import iso
from aimeter_cli.errors import ConfigurationError
from aimeter_cli.models.installation import Installation
from aimeter_cli.sandbox.client import SandboxControl
from tests.cli.conftest import Post
from tests.conftest import Cli
from tests.webhooks import payloads

CREATE = ("subscriptions", "create", "--billable", "user:42", "--plan", "pro", "--format", "json")
SYNC = ("subscriptions", "sync-stripe-ids", "--format", "json")
RECONCILE = ("subscriptions", "reconcile", "user:42", "--format", "json")


def _customer(post: Post) -> str:
    return str(post("customers", **{"metadata[aimeter_billable]": "user:42"})["id"])


def _subscription(post: Post, customer: str, price: str = "price_pro") -> str:
    made = post("subscriptions", customer=customer, **{"items[0][price]": price})
    return str(made["id"])


def _waiting(tmp: str, subscription: str) -> str:
    """A file with an event of a subscription that is not known here yet."""
    body = payloads.subscription(id=subscription, trial_end="2027-01-01")
    with open(tmp, "w") as file:
        json.dump(payloads.event("customer.subscription.updated", body, "2026-11-02"), file)
    return tmp


def test_create_finds_both_ids_by_itself_and_handles_what_waited_for_them(
    post: Post, cli: Cli
) -> None:
    customer = _customer(post)
    subscription = _subscription(post, customer)
    cli("webhooks", "replay", _waiting("event.json", subscription))
    made = cli(*CREATE)
    assert made.code == 0
    ids = made.json["stripe_customer_id"], made.json["stripe_subscription_id"]
    assert ids == (customer, subscription)
    assert made.json["trial_ends_at"] == "2027-01-01T00:00:00Z"
    assert f"Stripe ids: user:42 is {customer} and {subscription} at Stripe" in made.err
    assert f"1 Stripe event(s) had waited for {subscription} and changed" in made.err


@pytest.mark.parametrize("command", ["change-plan", "update"])
def test_later_commands_find_what_is_still_missing(command: str, post: Post, cli: Cli) -> None:
    cli("plans", "create", "Max")
    assert cli(*CREATE).json["stripe_customer_id"] is None
    customer = _customer(post)
    more = ("--to", "max") if command == "change-plan" else ("--meta", "k=v")
    done = cli("subscriptions", command, "user:42", *more, "--format", "json")
    assert (done.code, done.json["stripe_customer_id"]) == (0, customer)


def test_nothing_is_asked_with_auto_sync_off_but_the_command_still_works(
    post: Post, cli: Cli, billing: SandboxControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AI_METERING_AUTO_SYNC_STRIPE_IDS", "false")
    customer = _customer(post)
    before = len(billing.ledger())
    made = cli(*CREATE)
    assert (made.json["stripe_customer_id"], made.err) == (None, "")
    assert len(billing.ledger()) == before
    assert cli(*SYNC).json[0]["stripe_customer_id"] == customer


def test_a_failing_stripe_never_fails_the_local_command_and_the_next_run_looks_again(
    post: Post, cli: Cli, billing: SandboxControl
) -> None:
    customer = _customer(post)
    billing.add_fault("502:path=/v1/customers*", times=2)
    made = cli(*CREATE)
    assert (made.code, made.json["stripe_customer_id"]) == (0, None)
    assert "the Stripe ids were not looked up: 502" in made.err
    assert "aimeter subscriptions sync-stripe-ids tries again" in made.err
    failed = cli(*SYNC)
    assert (failed.code, failed.json[0]["status"]) == (3, "failed")
    assert "Stripe could not be asked for 1 of 1 billables" in failed.err
    done = cli(*SYNC)
    assert (done.code, done.json) == (
        0,
        [{
            "billable": "user:42", "stripe_customer_id": customer, "stripe_subscription_id": None,
            "found_by": "metadata", "status": "set",
            "reason": f"{customer} has no subscription at Stripe",
        }],
    )  # fmt: skip


def test_a_driver_that_cannot_be_asked_is_an_error_of_the_configuration(cli: Cli) -> None:
    cli("plans", "create", "Pro")
    assert cli(*CREATE).err == ""
    assert cli(*SYNC).code == cli(*RECONCILE).code == 4


def test_set_stripe_ids_handles_what_waited_for_the_id(cli: Cli) -> None:
    cli("plans", "create", "Pro", "--stripe-price", "price_pro")
    cli(*CREATE)
    cli("webhooks", "replay", _waiting("event.json", "sub_1"))
    ids = ("set-stripe-ids", "user:42", "--subscription", "sub_1", "--format", "json")
    done = cli("subscriptions", *ids)
    assert done.json["trial_ends_at"] == "2027-01-01T00:00:00Z"
    assert "1 Stripe event(s) had waited for sub_1 and changed" in done.err


def test_reconcile_shows_what_differs_mends_it_and_then_nothing_does(post: Post, cli: Cli) -> None:
    subscription = _subscription(post, _customer(post))
    cli(*CREATE)
    post(f"subscriptions/{subscription}", cancel_at_period_end="true")
    shown = cli(*RECONCILE)
    assert shown.code == 1
    [end] = [each for each in shown.json if each["field"] == "ends_at"]
    assert (end["billable"], end["stripe_subscription_id"], end["ours"], end["status"]) == (
        "user:42", subscription, None, "differs",
    )  # fmt: skip
    fixed = cli(*RECONCILE, "--fix")
    assert fixed.code == 0
    assert [each | {"status": "differs"} for each in fixed.json] == shown.json
    assert {each["status"] for each in fixed.json} == {"fixed"}
    again = cli("subscriptions", "reconcile", "--all")
    assert (again.code, again.out, again.err) == (0, "", "1 subscription(s): nothing differs.\n")


def test_a_subscription_that_is_linked_is_at_once_what_stripe_has(post: Post, cli: Cli) -> None:
    """Usage that is counted before its first event must not count against another period."""
    cli("plans", "create", "Max", "--stripe-price", "price_max")
    subscription = _subscription(post, _customer(post), "price_max")
    made = cli(*CREATE, "--period-alignment", "anchored", "--started-at", "2026-01-10")
    at_stripe = post(f"subscriptions/{subscription}", **{"metadata[seen]": "1"})
    [item] = at_stripe["items"]["data"]
    for edge in ("start", "end"):
        told = datetime.fromtimestamp(item[f"current_period_{edge}"], UTC)
        assert made.json[f"current_period_{edge}"] == iso(told)
    assert made.json["plan"] == "max"
    assert f"{subscription} as it is at Stripe changed" in made.err


def test_reconcile_that_cannot_read_says_so(post: Post, cli: Cli, billing: SandboxControl) -> None:
    _subscription(post, _customer(post))
    cli(*CREATE)
    billing.add_fault("502:path=/v1/subscriptions/*", times=1)
    done = cli(*RECONCILE)
    assert (done.code, done.json[0]["status"]) == (3, "unread")


def test_reconcile_wants_billables_or_all_and_an_id_to_ask_for(post: Post, cli: Cli) -> None:
    cli(*CREATE)
    assert cli("subscriptions", "reconcile").code == 2
    assert cli("subscriptions", "reconcile", "user:42", "--all").code == 2
    done = cli(*RECONCILE)
    assert done.err.startswith("error: user:42 has no subscription with a Stripe id\n")


def test_grace_is_listed_with_the_days_that_are_left(cli: Cli) -> None:
    cli("plans", "create", "Pro")
    cli(*CREATE, "--stripe-subscription", payloads.SUBSCRIPTION)
    with open("failed.json", "w") as file:
        json.dump(payloads.failure(at="2026-12-01"), file)
    cli("webhooks", "replay", "failed.json")
    graced = ("subscriptions", "list", "--status", "grace", "--as-of", "2026-12-03T12:00:00Z")
    header, row = (line for line in cli(*graced).out.splitlines() if "--" not in line)
    for title, value in (
        ("Grace period ends at", "2026-12-08T00:00:00Z"), ("Days left", " 4 "),
        ("Unpaid invoice", payloads.INVOICE),
    ):  # fmt: skip
        assert title in header
        assert value in row
    [listed] = cli(*graced, "--format", "json").json
    assert (listed["grace_days_left"], listed["grace_invoice_id"]) == (4, payloads.INVOICE)
    after = cli("subscriptions", "list", "--as-of", "2026-12-09", "--format", "json").json
    assert (after[0]["status"], after[0]["grace_days_left"]) == ("expired", None)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("stripe_livemode", True, "were made in live mode"),
        ("stripe_account", "acct_other", "were made with acct_other"),
    ],
)
def test_a_key_of_another_mode_or_account_sets_no_id_and_mends_nothing(
    column: str, value: object, said: str, database: Database, post: Post, cli: Cli
) -> None:
    with database.write() as session:
        here = session.exec(select(Installation)).one()
        setattr(here, column, value)
        here.stripe_key_hash = "that of another key"  # something was sent with it
        session.add(here)
    _subscription(post, _customer(post))
    made = cli(*CREATE)
    assert made.code == 0, made.err
    assert made.json["stripe_customer_id"] is None
    assert said in made.err
    for command in (SYNC, (*SYNC, "--dry-run"), (*RECONCILE, "--fix")):
        refused = cli(*command)
        assert refused.code == ConfigurationError.exit_code
        assert said in refused.err
    assert cli("subscriptions", "show", "user:42", "--format", "json").json[
        "stripe_customer_id"
    ] is None  # fmt: skip


@pytest.mark.parametrize(
    ("column", "value"), [("stripe_livemode", True), ("stripe_account", "acct_other")]
)
def test_a_first_key_that_found_nothing_binds_nobody(
    column: str, value: object, database: Database, post: Post, cli: Cli
) -> None:
    with database.write() as session:
        here = session.exec(select(Installation)).one()
        setattr(here, column, value)
        session.add(here)
    customer = _customer(post)
    _subscription(post, customer)
    made = cli(*CREATE)
    assert (made.json["stripe_customer_id"], "were made" in made.err) == (customer, False)
    with database.read() as session:
        here = session.exec(select(Installation)).one()
    assert getattr(here, column) not in (None, value)


def test_a_dry_run_of_create_shows_the_ids_that_would_be_found_and_keeps_nothing(
    database: Database, post: Post, cli: Cli
) -> None:
    customer = _customer(post)
    subscription = _subscription(post, customer)
    shown = cli(*CREATE, "--dry-run")
    assert shown.code == 0, shown.err
    ids = shown.json["stripe_customer_id"], shown.json["stripe_subscription_id"]
    assert ids == (customer, subscription)
    assert f"Stripe ids: user:42 is {customer} and {subscription} at Stripe" in shown.err
    assert cli("billables", "list", "--format", "json").json == []
    with database.read() as session:
        assert session.exec(select(Installation)).one().stripe_account is None
    made = cli(*CREATE)
    assert (made.json["stripe_customer_id"], made.json["stripe_subscription_id"]) == ids


def test_a_dry_run_of_create_tells_why_no_id_would_be_found(
    post: Post, cli: Cli, billing: SandboxControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer = _customer(post)
    cli("billables", "create", "user:7", "--stripe-customer", customer)
    taken = cli(*CREATE, "--dry-run")
    assert (taken.code, taken.json["stripe_customer_id"]) == (0, None)
    assert f"the Stripe customer {customer} belongs to the billable user:7" in taken.err
    billing.add_fault("502", times=1)
    silent = cli(*CREATE, "--dry-run")
    assert (silent.code, silent.json["stripe_customer_id"]) == (0, None)
    assert "the Stripe ids were not looked up: " in silent.err
    monkeypatch.setenv("AI_METERING_AUTO_SYNC_STRIPE_IDS", "false")
    before = len(billing.ledger())
    assert cli(*CREATE, "--dry-run").err == "dry run: nothing was changed\n"
    assert len(billing.ledger()) == before


@pytest.mark.parametrize(
    "command", [SYNC, ("subscriptions", "reconcile", "--all"), ("webhooks", "pull")]
)
def test_without_a_driver_it_is_told_what_to_set(command: tuple[str, ...], cli: Cli) -> None:
    refused = cli(*command)
    assert refused.code == ConfigurationError.exit_code
    assert "the billing driver is null: " in refused.err
    assert "AI_METERING_BILLING_DRIVER=stripe" in refused.err
    assert "STRIPE_API_KEY" in refused.err
    assert "overages" not in refused.err
