"""``customer.updated`` and ``customer.deleted``."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pytest
from sqlmodel import select

from aimeter_cli.db.engine import Database
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.items import InvoiceItem
from aimeter_cli.repositories.webhook_queue import known_that_are_waited_for
from aimeter_cli.webhooks import customers
from aimeter_cli.webhooks.handling import Handling
from aimeter_cli.webhooks.results import EventResult
from aimeter_cli.webhooks.waiting import take_up
from tests.conftest import Cli
from tests.webhooks.conftest import NOW, STARTED, World, make_world
from tests.webhooks.payloads import Event, event

CUSTOMER = "cus_A1"


def customer(kind: str = "updated", at: str = "2026-11-05", **fields: Any) -> Event:
    body = {"id": CUSTOMER, "object": "customer", "email": "new@example.com", "name": "New",
            "currency": None, "metadata": {}, **fields}  # fmt: skip
    return event(f"customer.{kind}", body, at)


def billable(world: World, ident: str = "42") -> Billable:
    with world.database.read() as session:
        return session.exec(select(Billable).where(Billable.external_id == ident)).one()


def set_billable(world: World, ident: str = "42", **facts: Any) -> int:
    with world.database.write() as session:
        row = session.exec(select(Billable).where(Billable.external_id == ident)).one()
        for name, value in facts.items():
            setattr(row, name, value)
        session.add(row)
        return row.id


def add_item(world: World, **facts: Any) -> None:
    """A pending item of 1.00 at Stripe."""
    owner, subscription = billable(world).id, world.subscription().id
    with world.database.write() as session:
        session.add(InvoiceItem(
            uid="u1", billable_id=owner, subscription_id=subscription, period_start=STARTED,
            period_end=datetime(2026, 11, 1, tzinfo=UTC), currency="usd", version=1,
            confirmed_version=1, target_minor=100, confirmed_minor=100, stripe_item_id="ii_1",
            stripe_customer_id=CUSTOMER, created_at=STARTED, updated_at=STARTED, **facts,
        ))  # fmt: skip


def items(world: World) -> list[tuple[str, str | None]]:
    with world.database.read() as session:
        return [(each.status, each.reason) for each in session.exec(select(InvoiceItem))]


@pytest.fixture
def known(any_world: World) -> World:
    set_billable(any_world, stripe_customer_id=CUSTOMER, email="old@example.com")
    return any_world


def test_email_name_and_currency_follow_and_are_shown(known: World) -> None:
    result = known.receive(customer(currency="eur"))
    assert {(c.table, c.field, c.before, c.after) for c in result.changes} == {
        ("ai_billables", "email", "old@example.com", "new@example.com"),
        ("ai_billables", "name", None, "New"),
        ("ai_billables", "currency", None, "eur"),
    }
    row = billable(known)
    assert (row.email, row.name, row.currency) == ("new@example.com", "New", "eur")


def test_what_stripe_does_not_tell_stays(known: World) -> None:
    assert known.receive(customer(email=None, name="")).changes == ()
    assert billable(known).email == "old@example.com"


def test_another_currency_than_ours_is_reported_and_not_taken(known: World) -> None:
    set_billable(known, currency="usd")
    result = known.receive(customer(currency="eur"))
    assert "aimeter billables update user:42 --currency eur" in (result.error or "")
    assert billable(known).currency == "usd"


def test_a_currency_is_not_taken_while_an_item_of_another_is_pending(known: World) -> None:
    add_item(known)
    assert "not taken over" in (known.receive(customer(currency="eur")).error or "")
    assert billable(known).currency is None


def test_who_was_anonymised_is_not_named_again(known: World) -> None:
    set_billable(known, email=None, anonymized_at=STARTED)
    known.receive(customer())
    assert (billable(known).email, billable(known).name) == (None, None)


def test_the_customer_of_nobody_is_waited_for(any_world: World) -> None:
    for kind in ("updated", "deleted"):
        assert any_world.receive(customer(kind)).status == "ignored"
        assert any_world.receive(customer(kind)).status == "ignored"
    assert [(each.waits_for, each.attempts) for each in any_world.stored()] == [(CUSTOMER, 1)] * 2


def test_what_waited_for_a_customer_is_handled_when_it_is_known(any_world: World) -> None:
    for each in (customer(at="2026-11-06"), customer(at="2026-11-05", name="Old")):
        any_world.receive(each)
    assert take_up(any_world.database, any_world.settings, [CUSTOMER], now=NOW) != []
    assert billable(any_world).email is None
    set_billable(any_world, stripe_customer_id=CUSTOMER)
    results = take_up(any_world.database, any_world.settings, ["sub_Pro1"], now=NOW)
    assert [result.status for result in results] == ["stale", "processed"]
    assert (billable(any_world).email, billable(any_world).name) == ("new@example.com", "New")
    assert take_up(any_world.database, any_world.settings, [CUSTOMER], now=NOW) == []
    assert {each.waits_for for each in any_world.stored()} == {None}


def test_a_later_event_of_a_customer_brings_those_that_waited(any_world: World) -> None:
    any_world.receive(customer(name="Waited"))
    set_billable(any_world, stripe_customer_id=CUSTOMER)
    with any_world.database.read() as session:
        assert known_that_are_waited_for(session, 10) == [CUSTOMER]
    any_world.receive(customer(at="2026-11-06", name=None))
    assert billable(any_world).name == "Waited"


@pytest.mark.parametrize("makes", ["create", "set-stripe-ids"])
def test_commands_that_make_a_customer_known_handle_what_waited(
    world: World, cli: Cli, makes: str
) -> None:
    world.receive(customer())
    words = ["--billable", "user:77", "--plan", "pro", "--stripe-customer"]
    if makes == "set-stripe-ids":
        world.subscribe(None, "user:77")
        words = ["user:77", "--customer"]
    done = cli("subscriptions", makes, *words, CUSTOMER)
    assert done.code == 0
    assert f"1 Stripe event(s) had waited for {CUSTOMER} and changed email, name" in done.err
    assert billable(world, "77").email == "new@example.com"


@pytest.mark.parametrize("auto_sync", [False, True])
def test_metadata_alone_never_makes_it_the_customer_of_a_billable(
    world: World, *, auto_sync: bool
) -> None:
    """A second customer may bear the same."""
    world.settings = replace(world.settings, auto_sync_stripe_ids=auto_sync)
    result = world.receive(customer(metadata={"aimeter_billable": "user:42"}))
    assert result.status == "ignored"
    assert "aimeter subscriptions sync-stripe-ids user:42" in (result.error or "")
    assert (billable(world).stripe_customer_id, billable(world).email) == (None, None)


def test_metadata_never_moves_a_customer_that_is_known(known: World) -> None:
    known.subscribe(None, "user:77")
    result = known.receive(customer(metadata={"aimeter_billable": "user:77"}))
    assert "its metadata names user:77" in (result.error or "")
    assert billable(known).stripe_customer_id == CUSTOMER
    set_billable(known, stripe_customer_id="cus_Other")
    again = customer(at="2026-11-06", metadata={"aimeter_billable": "user:42"})
    assert "whose customer is cus_Other: that is kept" in (known.receive(again).error or "")
    assert billable(known).stripe_customer_id == "cus_Other"


def test_deleted_forgets_the_id_and_has_what_was_pending_read(known: World) -> None:
    add_item(known, check_after=NOW)
    result = known.receive(customer("deleted"))
    assert billable(known).stripe_customer_id is None
    assert (items(known), result.follow_up) == ([("idle", None)], "user:42")
    assert "aimeter subscriptions set-stripe-ids user:42" in (result.error or "")
    with known.database.read() as session:
        assert session.exec(select(InvoiceItem.check_after)).one() is None


def test_an_older_update_waits_for_a_newer_one_that_is_being_handled(
    pg_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(pg_database)
    set_billable(world, stripe_customer_id=CUSTOMER)
    older, newer = customer(at="2026-11-05"), customer(at="2026-11-06", email="newer@example.com")
    follow, later, looks = customers._follow, customers._later, threading.Event()
    with ThreadPoolExecutor(1) as pool:

        def handled_meanwhile(handling: Handling, *rest: Any) -> Any:
            if handling.event.id == newer["id"]:
                begun.append(pool.submit(world.receive, older))
                assert not looks.wait(0.5), "it looked before the newer one had ended"
            return follow(handling, *rest)

        def looked(handling: Handling) -> Any:
            if handling.event.id == older["id"]:
                looks.set()
            return later(handling)

        begun: list[Future[EventResult]] = []
        monkeypatch.setattr(customers, "_follow", handled_meanwhile)
        monkeypatch.setattr(customers, "_later", looked)
        world.receive(newer)
        assert begun[0].result(10).status == "stale"
    assert billable(world).email == "newer@example.com"


def test_deleted_leaves_a_request_under_way_to_the_sync(known: World) -> None:
    add_item(known, status="unknown")
    result = known.receive(customer("deleted"))
    assert items(known) == [("unknown", None)]
    assert "under way" in (result.error or "")


@pytest.mark.parametrize("is_deleted", [False, True])
def test_every_order_ends_alike(world: World, *, is_deleted: bool) -> None:
    history = [
        customer(at="2026-11-02", email="a@example.com", name="A"),
        customer(at="2026-11-03", email=None, name="B"),
        customer(at="2026-11-04", email="c@example.com", name="B",
                 metadata={"aimeter_billable": "user:42"}),
    ]  # fmt: skip
    if is_deleted:
        history.append(customer("deleted", at="2026-11-05", email="c@example.com", name="B"))
    for order in permutations(history):
        world.forget()
        set_billable(world, stripe_customer_id=CUSTOMER, email="old@example.com", name=None)
        for each in (*order, order[0]):
            world.receive(each)
        row = billable(world)
        found = row.email, row.name, row.stripe_customer_id
        assert found == ("c@example.com", "B", None if is_deleted else CUSTOMER), [
            each["id"] for each in order
        ]
