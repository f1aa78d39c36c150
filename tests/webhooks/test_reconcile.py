"""Ours beside Stripe's: every difference is shown, and mended as an event would mend it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlmodel import select

from aimeter_cli.domain.events import EventName
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.models.billables import Billable
from aimeter_cli.webhooks.current import read_current, watched_subscriptions
from aimeter_cli.webhooks.reconcile import Deviation, _compare, reconcile
from tests.services.stripe_ids.account import SILENT, StripeAccount
from tests.webhooks import payloads
from tests.webhooks.conftest import NOW, World
from tests.webhooks.payloads import INVOICE, SUBSCRIPTION, stamp

CUSTOMER = "cus_A1"
PERIOD = {"start": "2026-12-01", "end": "2027-01-01"}


@pytest.fixture
def stripe(world: World) -> StripeAccount:
    """``cus_A1``, whose subscription on ``price_pro`` is the world's."""
    with world.database.write() as session:
        billable = session.exec(select(Billable)).one()
        billable.stripe_customer_id = CUSTOMER
        session.add(billable)
    account = StripeAccount()
    account.add(CUSTOMER, currency="usd")
    return account


def _reconcile(world: World, stripe: StripeAccount, **options: Any) -> list[Deviation]:
    watched = watched_subscriptions(world.database, now=NOW)
    found = reconcile(world.database, world.settings, stripe, watched, now=NOW, **options)
    return [each for some in found for each in some]


def _fields(found: list[Deviation]) -> dict[str, tuple[Any, Any]]:
    return {each.field: (each.ours, each.theirs) for each in found}


CASES: tuple[tuple[dict[str, Any], dict[str, tuple[Any, Any]]], ...] = (
    ({"price": "price_max"}, {"plan": ("pro", "max")}),
    ({"trial_end": "2027-01-15"}, {"trial_ends_at": (None, "2027-01-15T00:00:00Z")}),
    ({"cancel_at_period_end": True}, {"ends_at": (None, "2027-01-01T00:00:00Z")}),
    ({"status": "incomplete"}, {"is_incomplete": (False, True)}),
    ({"pause_collection": {"behavior": "void"}}, {"paused_at": (None, "2026-12-31T00:00:00Z")}),
    (
        {"status": "canceled", "ended_at": "2026-12-20"},
        {"is_live": (True, False), "ends_at": (None, "2026-12-20T00:00:00Z")},
    ),
    (
        {"start": "2026-12-05", "end": "2027-01-05"},
        {
            "current_period_start": ("2026-12-01T00:00:00Z", "2026-12-05T00:00:00Z"),
            "current_period_end": ("2027-01-01T00:00:00Z", "2027-01-05T00:00:00Z"),
            "renews_at": ("2027-01-01T00:00:00Z", "2027-01-05T00:00:00Z"),
        },
    ),
)


@pytest.mark.parametrize(("state", "expected"), CASES)
def test_each_difference_is_shown_by_field_mended_and_then_gone(
    state: dict[str, Any],
    expected: dict[str, tuple[Any, Any]],
    world: World,
    stripe: StripeAccount,
) -> None:
    world.receive(payloads.renewal())
    stripe.subscribe(CUSTOMER, SUBSCRIPTION, **{**PERIOD, **state})
    before = world.state()
    shown = _reconcile(world, stripe)
    assert _fields(shown) == expected
    assert {each.status for each in shown} == {"differs"}
    assert world.state() == before
    fixed = _reconcile(world, stripe, fix=True)
    assert (_fields(fixed), {each.status for each in fixed}) == (expected, {"fixed"})
    assert _reconcile(world, stripe) == []


def test_an_older_event_that_comes_after_a_fix_is_stale(
    world: World, stripe: StripeAccount
) -> None:
    stripe.subscribe(CUSTOMER, SUBSCRIPTION, price="price_max", **PERIOD)
    _reconcile(world, stripe, fix=True)
    after = world.state()
    assert world.receive(payloads.renewal()).status == "stale"
    assert world.state()["current_period_end"] == after["current_period_end"]


def test_where_nothing_differs_a_fix_writes_nothing(world: World, stripe: StripeAccount) -> None:
    world.receive(payloads.renewal())
    stripe.subscribe(CUSTOMER, SUBSCRIPTION, **PERIOD)
    before = world.subscription().model_dump()
    assert _reconcile(world, stripe, fix=True) == []
    assert world.subscription().model_dump() == before


@pytest.mark.parametrize("status", ["paid", "void"])
def test_an_invoice_that_was_paid_meanwhile_ends_its_grace_and_brings_back(
    status: str, world: World, stripe: StripeAccount
) -> None:
    world.with_grace(0).receive(payloads.failure())
    assert world.subscription().expired_at is not None
    stripe.subscribe(CUSTOMER, SUBSCRIPTION, status="past_due")
    stripe.invoices[INVOICE] = {"id": INVOICE, "object": "invoice", "status": status}
    _reconcile(world, stripe, fix=True)
    row = world.subscription()
    assert (row.expired_at, row.grace_invoice_id, row.is_live) == (None, None, True)


def test_an_uncollectible_invoice_of_one_in_arrears_ends_no_grace(
    world: World, stripe: StripeAccount
) -> None:
    world.receive(payloads.failure())
    stripe.subscribe(CUSTOMER, SUBSCRIPTION, status="unpaid")
    stripe.invoices[INVOICE] = {"id": INVOICE, "status": "uncollectible", "attempt_count": 4}
    _reconcile(world, stripe, fix=True)
    assert world.subscription().grace_invoice_id == INVOICE


def test_a_failure_that_was_never_told_starts_grace_when_its_invoice_was_finalised(
    world: World, stripe: StripeAccount
) -> None:
    stripe.subscribe(CUSTOMER, SUBSCRIPTION, status="past_due", latest_invoice=INVOICE)
    stripe.invoices[INVOICE] = {
        "id": INVOICE, "status": "open", "attempt_count": 1,
        "status_transitions": {"finalized_at": stamp("2026-12-30")},
    }  # fmt: skip
    _reconcile(world, stripe, fix=True)
    row = world.subscription()
    assert row.grace_period_ends_at == datetime(2027, 1, 6, tzinfo=UTC)
    assert EventName.PAYMENT_FAILED not in [name for name, _ in world.told()]
    world.receive(payloads.failure(at="2026-12-30T01:00:00"))  # it comes after all
    assert world.subscription().grace_period_ends_at == datetime(2027, 1, 6, tzinfo=UTC)
    assert [name for name, _ in world.told()].count(EventName.PAYMENT_FAILED) == 1


def test_what_an_operator_ended_stays_ended_and_is_shown(
    world: World, stripe: StripeAccount
) -> None:
    world.update(ends_at=datetime(2026, 11, 5, tzinfo=UTC), is_live=False)
    stripe.subscribe(CUSTOMER, SUBSCRIPTION)
    assert watched_subscriptions(world.database, now=NOW) == []
    watched = watched_subscriptions(world.database, now=NOW, billables=[BillableRef("user", "42")])
    [[kept]] = reconcile(world.database, world.settings, stripe, watched, now=NOW, fix=True)
    assert (kept.field, kept.ours, kept.theirs, kept.status) == (
        "status", "canceled", "active", "kept",
    )  # fmt: skip
    assert not world.subscription().is_live


def test_a_price_that_no_plan_has_is_told_and_the_plan_is_kept(
    world: World, stripe: StripeAccount
) -> None:
    world.receive(payloads.renewal())
    stripe.subscribe(CUSTOMER, SUBSCRIPTION, price="price_x", **PERIOD)
    [kept] = _reconcile(world, stripe, fix=True)
    assert (kept.field, kept.ours, kept.theirs) == ("plan", "pro", "price_x")
    command = "aimeter plans update PLAN --stripe-price price_x"
    assert (kept.status, kept.reason) == (
        "kept", f"no plan has the price price_x: plan kept; {command}",
    )  # fmt: skip


def test_the_customers_currency_and_deletion_are_compared(
    world: World, stripe: StripeAccount
) -> None:
    world.receive(payloads.renewal())
    stripe.subscribe(CUSTOMER, SUBSCRIPTION, **PERIOD)
    stripe.customers[0]["currency"] = "eur"
    [fixed] = _reconcile(world, stripe, fix=True)
    assert (fixed.field, fixed.ours, fixed.theirs, fixed.status) == (
        "currency", "usd", "eur", "fixed",
    )  # fmt: skip
    assert _reconcile(world, stripe) == []
    stripe.customers[0]["currency"] = "gbp"
    [kept] = _reconcile(world, stripe, fix=True)
    assert (kept.ours, kept.status, kept.reason) == (
        "eur", "kept", "aimeter billables update user:42 --currency gbp",
    )  # fmt: skip
    stripe.customers.clear()
    [kept] = _reconcile(world, stripe, fix=True)
    assert (kept.field, kept.ours, kept.status) == ("stripe_customer_id", CUSTOMER, "kept")


def test_another_customers_subscription_and_one_that_is_not_there_are_kept_and_told(
    world: World, stripe: StripeAccount
) -> None:
    world.receive(payloads.renewal())
    stripe.add("cus_B2")
    stripe.subscribe("cus_B2", SUBSCRIPTION, **PERIOD)
    [kept] = _reconcile(world, stripe, fix=True)
    assert (kept.field, kept.theirs, kept.status) == ("stripe_customer_id", "cus_B2", "kept")
    stripe.owned.clear()
    [gone] = _reconcile(world, stripe, fix=True)
    assert (gone.field, gone.theirs, gone.status) == ("stripe_subscription_id", None, "kept")


def test_what_cannot_be_read_or_was_changed_meanwhile_is_not_touched(
    world: World, stripe: StripeAccount
) -> None:
    stripe.subscribe(CUSTOMER, SUBSCRIPTION, price="price_max")
    [watched] = watched_subscriptions(world.database, now=NOW)
    current = read_current(stripe, watched, NOW)
    world.update(updated_at=NOW)
    before = world.state()
    [late] = _compare(world.database, world.settings, current, NOW, fix=True)
    assert (late.status, late.reason) == (
        "unread", "it was changed while Stripe was asked: run it again",
    )  # fmt: skip
    stripe.broken = SILENT
    [unread] = _reconcile(world, stripe, fix=True)
    assert (unread.status, unread.reason) == ("unread", "no answer from Stripe")
    assert world.state() == before


def test_a_failure_that_is_told_after_a_fix_showed_it_as_paid_starts_no_grace(
    world: World, stripe: StripeAccount
) -> None:
    world.receive(payloads.failure())
    stripe.subscribe(CUSTOMER, SUBSCRIPTION, **PERIOD)
    stripe.invoices[INVOICE] = {"id": INVOICE, "object": "invoice", "status": "paid"}
    _reconcile(world, stripe, fix=True)
    late = world.receive(payloads.failure(at="2026-12-04", attempt=2))
    assert (late.status, late.error) == ("stale", "the subscription has recovered since")
    assert world.state()["grace_period_ends_at"] is None


def _billable(world: World) -> Billable:
    with world.database.read() as session:
        return session.exec(select(Billable)).one()


def _called(world: World, email: str | None, name: str | None, **more: Any) -> None:
    with world.database.write() as session:
        billable = session.exec(select(Billable)).one()
        billable.sqlmodel_update({"email": email, "name": name, **more})
        session.add(billable)


def _in_step(world: World, stripe: StripeAccount, **customer: Any) -> None:
    """The subscription is here as it is there; the customer is as told."""
    world.receive(payloads.renewal())
    stripe.subscribe(CUSTOMER, SUBSCRIPTION, **PERIOD)
    stripe.customers[0].update(customer)


def test_email_and_name_are_compared_mended_and_then_the_same(
    world: World, stripe: StripeAccount
) -> None:
    _in_step(world, stripe, email="ada@new.example", name="Ada")
    _called(world, "ada@old.example", None)
    expected = {"email": ("ada@old.example", "ada@new.example"), "name": (None, "Ada")}
    shown = _reconcile(world, stripe)
    assert (_fields(shown), {each.status for each in shown}) == (expected, {"differs"})
    assert _billable(world).email == "ada@old.example"
    fixed = _reconcile(world, stripe, fix=True)
    assert (_fields(fixed), {each.status for each in fixed}) == (expected, {"fixed"})
    assert (_billable(world).email, _billable(world).name) == ("ada@new.example", "Ada")
    assert _reconcile(world, stripe) == []


@pytest.mark.parametrize("theirs", [None, "", "Eve\x1b[2J", 7])
def test_what_stripe_does_not_have_never_erases_ours(
    theirs: object, world: World, stripe: StripeAccount
) -> None:
    _in_step(world, stripe, email=theirs, name=theirs)
    _called(world, "ada@example.com", "Ada")
    assert _reconcile(world, stripe, fix=True) == []
    assert (_billable(world).email, _billable(world).name) == ("ada@example.com", "Ada")


def test_who_has_been_anonymised_is_not_named_again(world: World, stripe: StripeAccount) -> None:
    _in_step(world, stripe, email="ada@example.com", name="Ada")
    watched = watched_subscriptions(world.database, now=NOW)
    _called(world, None, None, anonymized_at=NOW)  # also where that was while Stripe was asked
    [found] = reconcile(world.database, world.settings, stripe, watched, now=NOW, fix=True)
    assert found == _reconcile(world, stripe) == []
    assert (_billable(world).email, _billable(world).name) == (None, None)
