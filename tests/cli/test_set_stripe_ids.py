"""Ids that a person gives are looked up before they are kept."""

from __future__ import annotations

from typing import Any

import pytest

from aimeter_cli.db.engine import Database
from aimeter_cli.models.installation import Installation
from aimeter_cli.sandbox.client import SandboxControl
from tests.cli.conftest import Post
from tests.cli.test_stripe_ids import CREATE, RECONCILE, SYNC
from tests.conftest import Cli, Result

SET = ("subscriptions", "set-stripe-ids", "user:42", "--format", "json")


@pytest.fixture
def subscribed(post: Post, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Post:
    """``user:42`` is on a plan, and nothing is looked up by itself."""
    monkeypatch.setenv("AI_METERING_AUTO_SYNC_STRIPE_IDS", "false")
    cli(*CREATE)
    return post


def _subscription(post: Post) -> tuple[str, str]:
    """A new customer's, and whose it is."""
    customer = str(post("customers", description="x")["id"])
    made = post("subscriptions", customer=customer, **{"items[0][price]": "price_pro"})
    return str(made["id"]), customer


def _ids(cli: Cli) -> tuple[Any, Any]:
    shown = cli("subscriptions", "show", "user:42", "--format", "json").json
    return shown["stripe_customer_id"], shown["stripe_subscription_id"]


def _is_refused(done: Result, cli: Cli, *said: str) -> None:
    assert (done.code, done.out) == (1, "")
    for each in said:
        assert each in done.err
    assert _ids(cli) == (None, None)


def test_ids_that_stripe_has_and_that_belong_together_are_set(subscribed: Post, cli: Cli) -> None:
    subscription, customer = _subscription(subscribed)
    done = cli(*SET, "--customer", customer, "--subscription", subscription)
    assert done.code == 0, done.err
    assert "not looked up" not in done.err
    assert _ids(cli) == (customer, subscription)


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
@pytest.mark.parametrize(
    ("option", "given"), [("--customer", "cus_nobody"), ("--subscription", "sub_none")]
)
def test_an_id_that_stripe_does_not_have_is_refused(
    option: str, given: str, more: tuple[str, ...], subscribed: Post, cli: Cli
) -> None:
    _is_refused(cli(*SET, option, given, *more), cli, f"{option}: {given} is not at Stripe")


def test_a_key_whose_account_does_not_have_the_id_binds_nothing_to_that_account(
    database: Database, subscribed: Post, cli: Cli
) -> None:
    with database.write() as session:  # as on the first day
        here = session.get_one(Installation, 1)
        here.stripe_account = here.stripe_livemode = here.stripe_key_hash = None
    assert "is not at Stripe" in cli(*SET, "--customer", "cus_of_the_right_account").err
    with database.read() as session:
        here = session.get_one(Installation, 1)
    assert (here.stripe_account, here.stripe_livemode) == (None, None)


def test_a_customer_that_was_deleted_at_stripe_is_refused(
    subscribed: Post, cli: Cli, billing: SandboxControl
) -> None:
    import httpx

    _, customer = _subscription(subscribed)
    key = {"Authorization": "Bearer sk_test_1"}
    assert httpx.delete(f"{billing.url}/v1/customers/{customer}", headers=key).is_success
    _is_refused(cli(*SET, "--customer", customer), cli, f"--customer: {customer} is not at Stripe")


def test_a_subscription_of_another_customer_is_refused(subscribed: Post, cli: Cli) -> None:
    subscription, owner = _subscription(subscribed)
    _, other = _subscription(subscribed)
    done = cli(*SET, "--customer", other, "--subscription", subscription)
    _is_refused(done, cli, f"{subscription} is a subscription of {owner} at Stripe, not of {other}")
    assert cli(*SET, "--customer", other).code == 0
    alone = cli(*SET, "--subscription", subscription)
    assert (alone.code, _ids(cli)) == (1, (other, None))
    assert f"Give --customer {owner} with it" in alone.err


def test_a_customer_who_does_not_have_the_stored_subscription_is_refused(
    subscribed: Post, cli: Cli
) -> None:
    subscription, owner = _subscription(subscribed)
    assert cli(*SET, "--subscription", subscription).code == 0
    _, other = _subscription(subscribed)
    done = cli(*SET, "--customer", other)
    assert (done.code, _ids(cli)) == (1, (None, subscription))
    assert f"{subscription} is a subscription of {owner} at Stripe" in done.err
    assert "Give --subscription with one of that customer" in done.err


@pytest.mark.parametrize("path", ["account", "customers/*", "subscriptions/*"])
def test_ids_are_kept_where_stripe_does_not_answer_and_reconcile_checks_them(
    path: str, subscribed: Post, cli: Cli, billing: SandboxControl
) -> None:
    billing.add_fault(f"502:path=/v1/{path}", times=2)
    ids = ("--customer", "cus_nobody", "--subscription", "sub_none")
    if path == "subscriptions/*":
        ids = ("--customer", str(subscribed("customers", description="x")["id"]), *ids[2:])
    done = cli(*SET, *ids)
    assert done.code == 0, done.err
    assert "the ids were not looked up at Stripe: " in done.err
    assert _ids(cli) == (ids[1], "sub_none")
    billing.clear_faults()
    fields = {each["field"] for each in cli(*RECONCILE).json}
    assert "stripe_subscription_id" in fields


def test_ids_are_kept_where_the_key_may_not_read_them(subscribed: Post, cli: Cli) -> None:
    restricted = {"STRIPE_API_KEY": "sk_test_forbidden"}
    done = cli(*SET, "--customer", "cus_nobody", env=restricted)
    assert (done.code, _ids(cli)) == (0, ("cus_nobody", None))
    assert "the ids were not looked up at Stripe: 403" in done.err


def test_no_check_asks_nobody_before_it_sets_them(
    subscribed: Post, cli: Cli, billing: SandboxControl
) -> None:
    before = len(billing.ledger())
    assert cli(*SET, "--customer", "cus_nobody", "--no-check").code == 0
    assert len(billing.ledger()) == before
    assert _ids(cli) == ("cus_nobody", None)


def test_a_wrong_shape_is_refused_before_stripe_is_asked(
    subscribed: Post, cli: Cli, billing: SandboxControl
) -> None:
    before = len(billing.ledger())
    assert cli(*SET, "--customer", "sub_1").code == 2
    assert len(billing.ledger()) == before


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("stripe_livemode", True, "were made in live mode"),
        ("stripe_account", "acct_other", "were made with acct_other"),
    ],
)
def test_a_key_of_another_mode_or_account_refuses_and_without_the_check_takes_nothing_over(
    column: str, value: object, said: str, database: Database, subscribed: Post, cli: Cli
) -> None:
    with database.write() as session:
        here = session.get_one(Installation, 1)
        setattr(here, column, value)
        here.stripe_key_hash = "that of another key"  # something was sent with it
    subscription, _ = _subscription(subscribed)
    refused = cli(*SET, "--subscription", subscription)
    assert (refused.code, _ids(cli)) == (4, (None, None))
    assert said in refused.err
    before = cli("subscriptions", "show", "user:42", "--format", "json").json
    done = cli(*SET, "--subscription", subscription, "--no-check")
    assert done.code == 0
    assert f"Stripe was not asked about {subscription}: " in done.err
    assert said in done.err
    assert done.json == before | {"stripe_subscription_id": subscription}


@pytest.mark.parametrize("command", [SYNC, (*RECONCILE, "--fix"), ("webhooks", "pull"), "set"])
def test_the_first_key_with_which_stripe_is_read_is_remembered_and_another_refused(
    command: Any, database: Database, subscribed: Post, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscription, customer = _subscription(subscribed)
    command = (*SET, "--customer", customer) if command == "set" else command
    cli(*SET, "--subscription", subscription, "--no-check")
    with database.write() as session:  # as on the first day
        here = session.get_one(Installation, 1)
        here.stripe_account = here.stripe_livemode = here.stripe_key_hash = None
    assert cli(*command, "--dry-run").code in (0, 1)
    with database.read() as session:
        assert session.get_one(Installation, 1).stripe_account is None
    assert cli(*command).code in (0, 1)  # 1: what differs is not for us to mend
    with database.read() as session:
        here = session.get_one(Installation, 1)
    assert (here.stripe_account or "").startswith("acct_")
    assert here.stripe_livemode is False
    monkeypatch.setenv("AI_METERING_STRIPE_LIVE", "true")
    monkeypatch.setenv("STRIPE_API_KEY", "sk_live_of_somebody")
    refused = cli(*command)
    assert refused.code == 4
    assert "the rows of this database were made in test mode" in refused.err
