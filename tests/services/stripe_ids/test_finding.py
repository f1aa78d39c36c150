"""Which customer and subscription are a billable's: found where it is certain, else told."""

from __future__ import annotations

from typing import Any

import pytest

from aimeter_cli.billing.base import Reply
from aimeter_cli.db.engine import Database
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.domain.sync import Answer
from aimeter_cli.errors import ConfigurationError
from aimeter_cli.services.billables import update_billable
from aimeter_cli.services.subscriptions.found_ids import FoundIds
from aimeter_cli.services.subscriptions.stripe_ids import set_stripe_ids
from aimeter_cli.services.subscriptions.sync_stripe_ids import sync_stripe_ids, wanted_ids
from tests.conftest import NOW
from tests.services.stripe_ids.account import SILENT, StripeAccount
from tests.services.world_of_plans import OTHER, USER, a_plan, a_subscription


@pytest.fixture
def subscribed(database: Database) -> Database:
    """``user:42``, without an id, on a plan with the price ``price_pro``."""
    a_plan(database, NOW, stripe_prices=("price_pro",))
    a_subscription(database, NOW)
    return database


@pytest.fixture
def stripe() -> StripeAccount:
    return StripeAccount()


def _sync(database: Database, stripe: StripeAccount, **options: Any) -> list[FoundIds]:
    every = options.pop("every", False)
    wanted = wanted_ids(database, now=NOW, include_complete=every)
    return list(sync_stripe_ids(database, stripe, wanted, now=NOW, **options))


def _one(database: Database, stripe: StripeAccount, **options: Any) -> FoundIds:
    [found] = _sync(database, stripe, **options)
    return found


def _ids(found: FoundIds) -> tuple[str, str | None, str | None, str | None]:
    return found.status, found.found_by, found.stripe_customer_id, found.stripe_subscription_id


def test_metadata_names_the_customer_before_any_email_does(
    subscribed: Database, stripe: StripeAccount
) -> None:
    update_billable(subscribed, USER, {"email": "ada@example.com"}, now=NOW)
    stripe.add("cus_named", names="user:42")
    stripe.add("cus_mail", email="ada@example.com")
    stripe.subscribe("cus_named", "sub_1")
    assert _ids(_one(subscribed, stripe)) == ("set", "metadata", "cus_named", "sub_1")
    assert wanted_ids(subscribed, now=NOW) == []


def test_metadata_counts_upper_and_lower_case_though_the_search_does_not(
    subscribed: Database, stripe: StripeAccount
) -> None:
    stripe.add("cus_1", names="USER:42")
    assert _one(subscribed, stripe).status == "missing"


@pytest.mark.parametrize("spelling", ["Ada@Example.com", "ada@example.com"])
def test_an_email_is_searched_as_stored_and_in_lower_case(
    spelling: str, subscribed: Database, stripe: StripeAccount
) -> None:
    update_billable(subscribed, USER, {"email": "Ada@Example.com"}, now=NOW)
    stripe.add("cus_1", email=spelling)
    found = _one(subscribed, stripe)
    assert _ids(found) == ("set", "email", "cus_1", None)
    assert found.reason == "cus_1 has no subscription at Stripe"


def test_a_stored_subscription_tells_its_customer(
    subscribed: Database, stripe: StripeAccount
) -> None:
    stripe.add("cus_1")
    stripe.subscribe("cus_1", "sub_1")
    set_stripe_ids(subscribed, USER, now=NOW, subscription="sub_1")
    assert _ids(_one(subscribed, stripe)) == ("set", "subscription", "cus_1", "sub_1")


def test_several_customers_are_reported_with_what_to_type_and_nothing_is_set(
    subscribed: Database, stripe: StripeAccount
) -> None:
    stripe.add("cus_1", names="user:42")
    stripe.add("cus_2", names="user:42")
    found = _one(subscribed, stripe)
    assert _ids(found) == ("ambiguous", None, None, None)
    assert found.reason == (
        "2 customers have metadata aimeter_billable = user:42: cus_2, cus_1. "
        "aimeter subscriptions set-stripe-ids user:42 --customer cus_2 chooses one"
    )


def test_an_email_is_no_proof_where_the_metadata_names_somebody_else(
    subscribed: Database, stripe: StripeAccount
) -> None:
    update_billable(subscribed, USER, {"email": "a@b.c"}, now=NOW)
    stripe.add("cus_1", email="a@b.c", names="user:7")
    found = _one(subscribed, stripe)
    assert _ids(found) == ("ambiguous", None, None, None)
    assert found.reason == "cus_1 has its e-mail, but its metadata names user:7"


def test_a_customer_of_another_billable_is_reported_not_taken(
    subscribed: Database, stripe: StripeAccount
) -> None:
    a_subscription(subscribed, NOW, OTHER, stripe_customer="cus_1", stripe_subscription="sub_9")
    stripe.add("cus_1", names="user:42")
    found = _one(subscribed, stripe)
    assert _ids(found) == ("ambiguous", None, None, None)
    assert "the Stripe customer cus_1 belongs to the billable user:43" in (found.reason or "")


def test_a_deleted_customer_that_is_stored_is_told_and_not_replaced(
    subscribed: Database, stripe: StripeAccount
) -> None:
    set_stripe_ids(subscribed, USER, now=NOW, customer="cus_old")
    stripe.add("cus_new", names="user:42")
    found = _one(subscribed, stripe)
    assert _ids(found) == ("missing", None, "cus_old", None)
    assert "the stored customer cus_old is not there: deleted at Stripe" in (found.reason or "")


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        ([("sub_1", "canceled"), ("sub_2", "active")], "sub_2"),
        ([("sub_1", "past_due"), ("sub_2", "incomplete")], "sub_1"),
        ([("sub_1", "trialing"), ("sub_2", "unpaid")], "sub_1"),
        ([("sub_1", "unpaid"), ("sub_2", "paused")], "sub_2"),  # the newest that goes on
        ([("sub_1", "canceled"), ("sub_2", "incomplete_expired")], None),
        ([("sub_1", "active"), ("sub_2", "active")], None),
    ],
)
def test_of_several_subscriptions_the_active_one_is_taken_else_the_newest_that_goes_on(
    there: list[tuple[str, str]], expected: str | None, subscribed: Database, stripe: StripeAccount
) -> None:
    set_stripe_ids(subscribed, USER, now=NOW, customer="cus_1")
    stripe.add("cus_1")
    for subscription_id, status in there:  # oldest first
        stripe.subscribe("cus_1", subscription_id, status=status)
    found = _one(subscribed, stripe)
    assert found.stripe_subscription_id == expected
    assert (found.status == "set") == (expected is not None)


def test_of_several_active_ones_the_price_of_our_plan_decides(
    subscribed: Database, stripe: StripeAccount
) -> None:
    stripe.add("cus_1", names="user:42")
    stripe.subscribe("cus_1", "sub_ours", price="price_pro")
    stripe.subscribe("cus_1", "sub_other", price="price_of_another_product")
    assert _one(subscribed, stripe).stripe_subscription_id == "sub_ours"


def test_the_customer_is_kept_where_only_the_subscription_is_ambiguous(
    subscribed: Database, stripe: StripeAccount
) -> None:
    stripe.add("cus_1", names="user:42")
    stripe.subscribe("cus_1", "sub_1")
    stripe.subscribe("cus_1", "sub_2")
    found = _one(subscribed, stripe)
    assert _ids(found) == ("set", "metadata", "cus_1", None)
    assert "2 active subscriptions that fit equally: sub_2, sub_1." in (found.reason or "")
    assert _one(subscribed, stripe).status == "ambiguous"


def test_a_subscription_that_another_one_of_ours_has_is_never_taken_twice(
    subscribed: Database, stripe: StripeAccount
) -> None:
    a_subscription(subscribed, NOW, OTHER, stripe_customer="cus_9", stripe_subscription="sub_1")
    stripe.add("cus_1", names="user:42")
    stripe.subscribe("cus_1", "sub_1")
    found = _sync(subscribed, stripe)[0]
    assert _ids(found) == ("set", "metadata", "cus_1", None)
    assert "sub_1 is that of the subscription 2 of user:43" in (found.reason or "")


@pytest.mark.parametrize(
    ("status", "expected", "told"),
    [
        ("active", "unchanged", ""),
        ("canceled", "missing", "aimeter subscriptions reconcile user:42 shows what differs"),
    ],
)
def test_all_checks_what_is_stored_and_replaces_nothing(
    status: str, expected: str, told: str, subscribed: Database, stripe: StripeAccount
) -> None:
    set_stripe_ids(subscribed, USER, now=NOW, customer="cus_1", subscription="sub_1")
    stripe.add("cus_1")
    stripe.subscribe("cus_1", "sub_1", status=status)
    assert _sync(subscribed, stripe) == []
    found = _one(subscribed, stripe, every=True)
    assert _ids(found) == (expected, "stored", "cus_1", "sub_1")
    assert told in (found.reason or "")


def test_all_tells_of_a_subscription_of_another_customer_and_of_one_that_was_replaced(
    subscribed: Database, stripe: StripeAccount
) -> None:
    set_stripe_ids(subscribed, USER, now=NOW, customer="cus_1", subscription="sub_1")
    stripe.add("cus_1")
    found = _one(subscribed, stripe, every=True)
    assert found.status == "ambiguous"
    assert "sub_1 is no subscription of cus_1" in (found.reason or "")
    stripe.subscribe("cus_1", "sub_1", status="canceled")
    stripe.subscribe("cus_1", "sub_2")
    found = _one(subscribed, stripe, every=True)
    assert "sub_1 is canceled at Stripe, and sub_2 goes on." in (found.reason or "")
    assert found.stripe_subscription_id == "sub_1"


def test_a_dry_run_tells_what_it_would_set_and_sets_nothing(
    subscribed: Database, stripe: StripeAccount
) -> None:
    stripe.add("cus_1", names="user:42")
    stripe.subscribe("cus_1", "sub_1")
    assert _one(subscribed, stripe, dry_run=True).status == "set"
    assert wanted_ids(subscribed, now=NOW)[0].customer is None


def test_what_was_set_while_stripe_was_asked_is_not_written_over(
    subscribed: Database, stripe: StripeAccount
) -> None:
    stripe.add("cus_1", names="user:42")
    wanted = wanted_ids(subscribed, now=NOW)
    set_stripe_ids(subscribed, USER, now=NOW, customer="cus_by_hand")
    [found] = sync_stripe_ids(subscribed, stripe, wanted, now=NOW)
    assert found.status == "failed"
    assert wanted_ids(subscribed, now=NOW)[0].customer == "cus_by_hand"


def test_five_in_a_row_whom_nobody_answers_for_end_the_run(
    subscribed: Database, stripe: StripeAccount
) -> None:
    for number in range(6):
        a_subscription(subscribed, NOW, BillableRef("team", str(number)))
    stripe.broken = SILENT
    assert [each.status for each in _sync(subscribed, stripe)] == ["failed"] * 5
    assert stripe.asked == ["metadata"] * 5


def test_a_refused_key_ends_the_run_at_once(subscribed: Database, stripe: StripeAccount) -> None:
    stripe.broken = Reply(Answer.MISCONFIGURED, reason="401")
    with pytest.raises(ConfigurationError, match="Stripe refuses the request: 401"):
        _sync(subscribed, stripe)


def test_an_email_that_two_billables_have_is_guessed_for_neither(
    subscribed: Database, stripe: StripeAccount
) -> None:
    a_subscription(subscribed, NOW, OTHER)
    update_billable(subscribed, USER, {"email": "Ada@example.com"}, now=NOW)
    update_billable(subscribed, OTHER, {"email": "ada@example.com"}, now=NOW)
    stripe.add("cus_1", email="ada@example.com")
    stripe.subscribe("cus_1", "sub_1")
    for found in _sync(subscribed, stripe):
        assert _ids(found) == ("ambiguous", None, None, None)
        assert found.reason is not None
        assert found.reason.endswith(
            "another billable has that e-mail, too. aimeter subscriptions set-stripe-ids "
            f"{found.billable} --customer cus_1 chooses one"
        )
    stripe.add("cus_2", names="user:42", email="ada@example.com")
    assert _ids(_sync(subscribed, stripe)[0])[:3] == ("set", "metadata", "cus_2")
