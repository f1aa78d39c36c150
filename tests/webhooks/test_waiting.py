"""An event of an unknown subscription is kept, and handled as soon as that appears."""

from __future__ import annotations

from itertools import permutations

import pytest
from sqlalchemy import event as listen
from sqlalchemy import text

from aimeter_cli.repositories.webhook_queue import events_waiting_for, known_that_are_waited_for
from aimeter_cli.webhooks.waiting import take_up
from tests.webhooks.conftest import NOW, World
from tests.webhooks.payloads import Event, deletion, event, failure, payment, renewal, subscription

NEW = "sub_New"


def made(at: str = "2026-11-01") -> Event:
    return event("customer.subscription.created", subscription(id=NEW), at)


def changed(price: str, at: str) -> Event:
    body = subscription(id=NEW, price=price)
    return event("customer.subscription.updated", body, at, id=f"evt_{at}")


def waiting(world: World) -> list[str | None]:
    return [each.waits_for for each in world.stored()]


def test_it_waits_for_its_subscription_by_id(any_world: World) -> None:
    result = any_world.receive(failure(subscription=NEW, id="in_New"))
    assert (result.status, result.error) == ("ignored", f"unknown subscription {NEW}")
    assert waiting(any_world) == [NEW]


@pytest.mark.parametrize("order", [*permutations(range(3))])
def test_waiting_events_are_handled_in_the_order_in_which_they_happened(
    world: World, order: tuple[int, ...]
) -> None:
    events = [made(), changed("price_max", "2026-11-05"), changed("price_pro", "2026-11-09")]
    for place in order:
        world.receive(events[place])
    world.subscribe(NEW, "user:77")
    results = take_up(world.database, world.settings, [NEW], now=NOW)
    assert [each.event_id for each in results] == [each["id"] for each in events]
    assert {each.status for each in results} == {"processed"}
    told = [payload["plan"] for name, payload in world.told() if name == "PlanChanged"]
    assert told == ["max", "pro"]
    assert waiting(world) == [None] * 3


def test_it_is_taken_up_once(any_world: World) -> None:
    any_world.receive(failure(subscription=NEW, id="in_New"))
    any_world.subscribe(NEW, "user:77")
    [result] = take_up(any_world.database, any_world.settings, [NEW], now=NOW)
    assert (result.status, result.file) == ("processed", "inbox")
    assert take_up(any_world.database, any_world.settings, [NEW], now=NOW) == []
    assert [name for name, _ in any_world.told()] == ["PaymentFailed"]


def test_any_later_event_of_the_subscription_brings_those_that_waited(any_world: World) -> None:
    any_world.receive(failure(at="2026-11-20", subscription=NEW, id="in_New"))
    any_world.subscribe(NEW, "user:77")
    any_world.receive(changed("price_max", "2026-11-25"))
    assert any_world.state(NEW)["grace_invoice_id"] == "in_New"
    assert waiting(any_world) == [None, None]


def test_events_of_others_go_on_waiting(world: World) -> None:
    world.receive(made())
    world.receive(renewal())
    assert take_up(world.database, world.settings, ["sub_Pro1"], now=NOW) == []
    assert waiting(world) == [NEW, None]


def test_what_still_waits_is_written_once(world: World) -> None:
    world.receive(made())
    before = [each.model_dump() for each in world.stored()]
    assert world.receive(made()).status == "ignored"
    assert [each.model_dump() for each in world.stored()] == before


@pytest.mark.parametrize("order", [*permutations(range(4))])
def test_waiting_ends_in_the_same_state_as_being_known_from_the_start(
    world: World, order: tuple[int, ...]
) -> None:
    history = [
        made(),
        failure(subscription=NEW, id="in_New"),
        payment(subscription=NEW, id="in_New"),
        deletion(id=NEW),
    ]
    world.subscribe(NEW, "user:77")
    for each in history:
        world.receive(each)
    expected = world.state(NEW)
    world.forget()
    world.update(NEW, stripe_subscription_id="sub_Gone")
    for place in order:
        world.receive(history[place])
    world.subscribe(NEW, "user:78")
    take_up(world.database, world.settings, [NEW], now=NOW)
    differing = {"id", "billable_id"}
    found = world.state(NEW)
    assert {k: v for k, v in found.items() if k not in differing} == {
        k: v for k, v in expected.items() if k not in differing
    }


def test_the_index_of_waiting_events_is_used(world: World) -> None:
    with world.database.read() as session:
        statements: list[str] = []

        def note(_: object, __: object, statement: str, *___: object) -> None:
            statements.append(statement)

        listen.listen(world.database.engine, "before_cursor_execute", note)
        events_waiting_for(session, [NEW])
        listen.remove(world.database.engine, "before_cursor_execute", note)
        plan = session.connection().execute(
            text("EXPLAIN QUERY PLAN " + statements[0].replace("?", "'x'"))
        )
        assert "ix_webhook_event_waiting" in " ".join(str(row) for row in plan)


def test_one_that_waits_although_its_subscription_is_known_is_found(any_world: World) -> None:
    """The process that made it known died before it took up what waited."""
    any_world.receive(changed("price_max", "2026-11-05"))
    any_world.receive(failure(subscription="sub_Other", id="in_Other"))
    any_world.subscribe(NEW, "user:77")
    with any_world.database.read() as session:
        assert known_that_are_waited_for(session, 10) == [NEW]
