"""Another Stripe subscription for one of ours: nothing that was known of the old one stays."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError
from sqlmodel import select

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.domain.subscription import status
from aimeter_cli.errors import Conflict
from aimeter_cli.models.installation import Installation
from aimeter_cli.models.plans import Plan
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.repositories.subscriptions import lock_subscription
from aimeter_cli.services.copying import mark_copy
from aimeter_cli.services.subscriptions import stripe_ids
from aimeter_cli.services.subscriptions.stripe_ids import set_stripe_ids
from aimeter_cli.webhooks import invoices, working
from aimeter_cli.webhooks.invoice_items import close_soon
from aimeter_cli.webhooks.waiting import take_up
from tests.webhooks.conftest import NOW, World, make_world
from tests.webhooks.payloads import (
    deletion,
    event,
    failure,
    invoice,
    renewal,
    stamp,
    subscription,
)
from tests.webhooks.test_customers import add_item, set_billable

USER = BillableRef.parse("user:42")
OF_STRIPE = (
    "stripe_updated_at", "draft_invoice_id", "draft_period_end", "grace_invoice_id",
    "grace_period_ends_at", "unpaid_invoices", "recovered_at", "renews_at",
    "current_period_start", "current_period_end",
)  # fmt: skip


def _replace(world: World, **options: Any) -> None:
    set_stripe_ids(world.database, USER, now=NOW, subscription="sub_New", **options)


def _tell_everything(world: World) -> None:
    world.receive(renewal())
    world.receive(failure())
    draft = invoice(id="in_draft", status="draft", period_end=stamp("2026-12-15"))
    world.receive(event("invoice.created", draft, "2026-12-15"))
    world.update(recovered_at=NOW, unpaid_invoices={"in_other": "2027-01-05T00:00:00Z"})
    assert all(world.state()[name] for name in OF_STRIPE)


def test_an_event_that_waited_for_the_new_one_is_never_older_than_those_of_the_old_one(
    world: World,
) -> None:
    world.receive(renewal())
    body = subscription(id="sub_New", price="price_max", start="2026-11-20", end="2026-12-20")
    world.receive(event("customer.subscription.created", body, "2026-11-20"))
    _replace(world)
    [result] = take_up(world.database, world.settings, ["sub_New"], now=NOW)
    assert result.status == "processed"
    state = world.state("sub_New")
    assert state["current_period_end"] == "2026-12-20T00:00:00Z"
    with world.database.read() as session:
        [plan] = session.exec(select(Plan.id).where(Plan.slug == "max"))
    assert plan in (state["plan_id"], state["next_plan_id"])


def test_the_state_draft_grace_and_period_of_the_old_one_are_forgotten(world: World) -> None:
    _tell_everything(world)
    _replace(world)
    state = world.state("sub_New")
    assert not any(state[name] for name in OF_STRIPE)
    assert status(world.subscription("sub_New"), NOW) == "active"


def test_the_same_id_again_forgets_nothing(world: World) -> None:
    _tell_everything(world)
    before = world.state()
    set_stripe_ids(world.database, USER, now=NOW, subscription=before["stripe_subscription_id"])
    assert world.state() == before


def test_one_that_has_ended_takes_no_other_id(world: World) -> None:
    world.receive(renewal())
    world.receive(deletion())
    before = world.state()
    with pytest.raises(Conflict, match="has ended"):
        _replace(world)
    assert world.state() == before


def test_a_copy_knows_nothing_of_the_subscriptions_that_it_forgot(world: World) -> None:
    _tell_everything(world)
    with world.database.write() as session:
        here = session.exec(select(Installation)).one()
        here.events_pulled_until = NOW
        session.add(here)
    mark_copy(world.database, now=NOW)
    with world.database.read() as session:
        row = session.exec(select(Subscription)).one().model_dump()
        assert session.exec(select(Installation)).one().events_pulled_until is None
    assert not any(row[name] for name in (*OF_STRIPE, "stripe_subscription_id"))


def test_ids_that_change_and_an_invoice_that_comes_wait_for_each_other(
    pg_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(pg_database)
    set_billable(world, stripe_customer_id="cus_A1")
    add_item(world, status="idle")
    in_handler = threading.Event()
    order: list[str] = []

    def close(*args: Any) -> Any:
        in_handler.set()
        setter.join(0.3)  # it must wait for us, and hold no item meanwhile
        order.append("invoice")
        return close_soon(*args)

    def locked(*args: Any) -> None:
        lock_subscription(*args)
        order.append("ids")

    def set_ids() -> None:
        assert in_handler.wait(10)
        set_stripe_ids(
            world.database, USER, now=NOW, customer="cus_B2", subscription="sub_New", force=True
        )

    monkeypatch.setattr(invoices, "close_soon", close)
    monkeypatch.setattr(stripe_ids, "lock_subscription", locked)
    monkeypatch.setattr(working, "is_deadlock", lambda _: False)
    setter = threading.Thread(target=set_ids)
    setter.start()
    result = world.receive(failure(period_end=stamp("2026-12-01")))
    setter.join()
    assert (result.status, order) == ("processed", ["invoice", "ids"])


def test_an_event_is_handled_again_once_after_a_deadlock(
    pg_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(pg_database)

    class Deadlock(Exception):
        sqlstate = "40P01"

    handle, left = working.handle, [1]

    def ended(*args: Any, **options: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise OperationalError("UPDATE", {}, Deadlock())
        return handle(*args, **options)

    monkeypatch.setattr(working, "handle", ended)
    assert world.receive(renewal()).status == "processed"
    left[0] = 2
    with pytest.raises(OperationalError):
        world.receive(failure())
