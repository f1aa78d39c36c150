"""Stripe ids are set freely once, and moved only where no item can be lost."""

from __future__ import annotations

from typing import Any

import pytest
from sqlmodel import select

from aimeter_cli.db.engine import Database
from aimeter_cli.errors import AimeterError, Conflict, InvalidInput, NotFound
from aimeter_cli.models.items import InvoiceItem
from aimeter_cli.services.billables import create_billable, update_billable
from aimeter_cli.services.subscriptions.stripe_ids import set_stripe_ids
from tests.conftest import NOW, Clock
from tests.services.world_of_plans import OTHER, USER, a_plan, a_subscription


@pytest.fixture
def subscribed(any_database: Database, clock: Clock) -> Database:
    """``user:42`` on a plan, without Stripe ids."""
    a_plan(any_database, clock())
    a_subscription(any_database, clock())
    return any_database


def _set(database: Database, customer: str | None, subscription: str | None, **options: Any) -> Any:
    view = set_stripe_ids(
        database, USER, now=NOW, customer=customer, subscription=subscription, **options
    )
    return view.billable.stripe_customer_id, view.subscription.stripe_subscription_id


def _item(database: Database, status: str, stripe_item_id: str | None) -> None:
    with database.write() as session:
        session.add(
            InvoiceItem(
                uid="u", billable_id=1, subscription_id=1, period_start=NOW, period_end=NOW,
                currency="usd", status=status, stripe_customer_id="cus_1",
                stripe_item_id=stripe_item_id, created_at=NOW, updated_at=NOW,
                lease_token="t" if status == "sending" else None,
            )
        )  # fmt: skip


def test_ids_are_set_and_setting_them_again_changes_nothing(subscribed: Database) -> None:
    assert _set(subscribed, "cus_1", "sub_1") == ("cus_1", "sub_1")
    assert _set(subscribed, "cus_1", "sub_1") == ("cus_1", "sub_1")
    assert _set(subscribed, None, "sub_2") == ("cus_1", "sub_2")
    assert _set(subscribed, "cus_2", None, dry_run=True) == ("cus_2", "sub_2")
    assert _set(subscribed, None, "sub_2") == ("cus_1", "sub_2")


@pytest.mark.parametrize(
    ("customer", "subscription", "kind", "message"),
    [
        (None, None, InvalidInput, "give --customer, --subscription or both"),
        ("sub_1", None, InvalidInput,
         "--customer: 'sub_1' is not a Stripe id of the expected shape cus_…"),
        (None, "cus_1", InvalidInput,
         "--subscription: 'cus_1' is not a Stripe id of the expected shape sub_…"),
        ("cus_9", None, Conflict, "the Stripe customer cus_9 belongs to the billable user:43"),
        (None, "sub_9", Conflict,
         "the Stripe subscription sub_9 belongs to the subscription 2 of user:43"),
    ],
)  # fmt: skip
def test_ids_of_another_shape_or_of_another_billable_are_refused(
    customer: str | None,
    subscription: str | None,
    kind: type[AimeterError],
    message: str,
    subscribed: Database,
    clock: Clock,
) -> None:
    a_subscription(subscribed, clock(), OTHER, stripe_customer="cus_9", stripe_subscription="sub_9")
    with pytest.raises(kind) as caught:
        _set(subscribed, customer, subscription)
    assert caught.value.message == message
    assert _set(subscribed, None, "sub_free") == (None, "sub_free")


@pytest.mark.parametrize(
    ("status", "item", "plain", "forced"),
    [
        ("idle", "ii_1", "is pending at Stripe (ii_1)", None),
        ("idle", None, None, None),  # never sent
        ("failed", None, None, None),  # refused by Stripe: not there
        (
            "sending",
            None,
            "while a request for an invoice item is under way (not confirmed yet)",
            1,
        ),
        ("unknown", "ii_1", "while a request for an invoice item is under way (ii_1)", 1),
        ("failed", "ii_1", "while an invoice item is failed (ii_1)", 1),
        ("held", "ii_1", "while an invoice item is held (ii_1)", 1),
    ],
)
def test_a_pending_item_stops_a_change_and_force_moves_only_what_is_settled(
    status: str, item: str | None, plain: str | None, forced: int | None, subscribed: Database
) -> None:
    _set(subscribed, "cus_1", "sub_1")
    _item(subscribed, status, item)
    for customer, subscription in (("cus_2", None), (None, "sub_2")):
        if plain is None:
            _set(subscribed, customer, subscription)
            continue
        with pytest.raises(Conflict) as caught:
            _set(subscribed, customer, subscription)
        assert plain in caught.value.message
        if forced:
            with pytest.raises(Conflict):
                _set(subscribed, customer, subscription, force=True)
        else:
            _set(subscribed, customer, subscription, force=True)
    with subscribed.read() as session:
        assert session.exec(select(InvoiceItem)).one().stripe_customer_id == "cus_1"


def test_a_first_id_is_set_whatever_is_pending(subscribed: Database) -> None:
    _item(subscribed, "sending", None)
    assert _set(subscribed, "cus_1", "sub_1") == ("cus_1", "sub_1")


def test_the_same_holds_for_billables_update(subscribed: Database) -> None:
    _set(subscribed, "cus_1", None)
    _item(subscribed, "idle", "ii_1")
    with pytest.raises(Conflict, match=r"the Stripe customer of user:42 .cus_1. cannot change"):
        update_billable(subscribed, USER, {"stripe_customer_id": "cus_2"}, now=NOW)
    update_billable(subscribed, USER, {"stripe_customer_id": "cus_2"}, now=NOW, force=True)


def test_who_has_no_subscription_is_told_so(database: Database, clock: Clock) -> None:
    with pytest.raises(NotFound, match="there is no billable user:42"):
        _set(database, "cus_1", None)
    create_billable(database, USER, {}, now=clock())
    with pytest.raises(NotFound, match="user:42 has no subscription"):
        _set(database, "cus_1", None)
