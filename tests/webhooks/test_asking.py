"""Ties and gaps: Stripe is asked what is true now, once, and outside of any transaction."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aimeter_cli.domain.periods import iso
from aimeter_cli.webhooks.inbox import take_in
from aimeter_cli.webhooks.reading import incoming
from aimeter_cli.webhooks.results import EventResult
from aimeter_cli.webhooks.storing import arrive
from tests.webhooks.conftest import NOW, World
from tests.webhooks.directory import Subscriptions, directory
from tests.webhooks.payloads import (
    SUBSCRIPTION,
    Event,
    deletion,
    event,
    failure,
    invoice,
    renewal,
    stamp,
    subscription,
)

UPDATED = "customer.subscription.updated"
FETCHED = iso(NOW)


def update(price: str, at: str, name: str, **more: Any) -> Event:
    return event(UPDATED, subscription(price=price), at, id=name, **more)


def taken(world: World, fake: Subscriptions | None, *events: Event) -> list[EventResult]:
    arrived = [arrive(incoming(json.dumps(each), "test")) for each in events]
    asked = directory(fake) if fake is not None else None
    return take_in(world.database, world.settings, arrived, now=NOW, directory=asked)


TIE = [update("price_pro", "2026-11-05", "evt_a"), update("price_max", "2026-11-05", "evt_b")]


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize(("now_at_stripe", "plan"), [("price_pro", 1), ("price_max", 2)])
def test_a_tie_ends_as_stripe_says_in_both_orders(
    any_world: World, now_at_stripe: str, plan: int, *, backwards: bool
) -> None:
    fake = Subscriptions(subscription(price=now_at_stripe))
    results = taken(any_world, fake, *(TIE[::-1] if backwards else TIE))
    assert {result.status for result in results} <= {"processed", "stale"}
    state = any_world.state()
    assert (state["plan_id"], state["stripe_updated_at"]) == (plan, FETCHED)
    assert fake.asked == [SUBSCRIPTION]


def test_updates_of_one_second_that_tell_the_same_need_no_question(world: World) -> None:
    fake = Subscriptions()
    taken(world, fake, update("price_max", "2026-11-05", "evt_a"),
          update("price_max", "2026-11-05", "evt_b"))  # fmt: skip
    assert fake.asked == []


def test_created_and_deleted_of_one_second_need_no_question(world: World) -> None:
    fake = Subscriptions()
    made = event("customer.subscription.created", subscription(status="incomplete"), "2026-11-05")
    taken(world, fake, update("price_max", "2026-11-05", "evt_a"), made, deletion(at="2026-11-05"))
    assert fake.asked == []
    assert world.state()["ends_at"] == "2026-11-05T00:00:00Z"


def test_an_update_that_began_in_another_state_asks(world: World) -> None:
    ended = subscription(status="canceled", ended_at="2026-11-20", canceled_at="2026-11-20")
    fake = Subscriptions(ended)
    world.receive(update("price_pro", "2026-11-05", "evt_a"))
    gap = event(UPDATED, subscription(), "2026-11-09", previous={"status": "past_due"})
    [result] = taken(world, fake, gap)
    assert fake.asked == [SUBSCRIPTION]
    assert (result.status, result.error) == ("processed", None)
    assert (world.state()["ends_at"], world.state()["is_live"]) == ("2026-11-20T00:00:00Z", False)


@pytest.mark.parametrize(
    "previous",
    [{"status": "active"}, {"latest_invoice": "in_0"}, {"items": subscription()["items"]},
     {"cancel_at": None}, {"pause_collection": None}],
    ids=str,
)  # fmt: skip
def test_an_update_that_begins_where_the_last_one_ended_needs_no_question(
    world: World, previous: dict[str, Any]
) -> None:
    fake = Subscriptions()
    world.receive(update("price_pro", "2026-11-05", "evt_a"))
    taken(world, fake, update("price_max", "2026-11-09", "evt_b", previous=previous))
    assert fake.asked == []
    assert world.state()["plan_id"] == 2


@pytest.mark.parametrize(("status", "in_grace"), [("past_due", True), ("active", False)])
def test_an_invoice_of_a_renewal_that_was_not_told_asks(
    status: str, in_grace: bool, world: World
) -> None:
    """Who is active long after a failure has paid: the failure is told late."""
    fake = Subscriptions(subscription(status=status, start="2026-12-01", end="2027-01-01"))
    world.receive(update("price_pro", "2026-11-05", "evt_a"))
    body = invoice(period_start=stamp("2026-11-01"), period_end=stamp("2026-12-01"))
    taken(world, fake, event("invoice.payment_failed", body, "2026-12-01T01:00:00"))
    assert fake.asked == [SUBSCRIPTION]
    assert world.state()["current_period_end"] == "2027-01-01T00:00:00Z"
    assert (world.state()["grace_period_ends_at"] is not None) == in_grace


def test_an_invoice_of_a_renewal_that_was_told_needs_no_question(world: World) -> None:
    fake = Subscriptions()
    body: dict[str, Any] = {"period_start": stamp("2026-11-01"), "period_end": stamp("2026-12-01")}
    taken(world, fake, renewal(), failure(**body))
    assert fake.asked == []


def test_one_object_is_fetched_once_for_a_whole_batch(any_world: World) -> None:
    fake = Subscriptions(subscription())
    prices = ["price_pro", "price_max"]
    events = [update(prices[n % 2], "2026-11-05", f"evt_{n}") for n in range(6)]
    taken(any_world, fake, *events)
    assert fake.asked == [SUBSCRIPTION]


def test_no_transaction_is_open_while_stripe_is_asked(any_world: World) -> None:
    fake = Subscriptions(
        subscription(), at_ask=lambda: any_world.subscribe("sub_Other", "user:77")
    )  # a writer that would wait for ever for an open transaction on SQLite
    taken(any_world, fake, *TIE)
    assert any_world.subscription("sub_Other").is_live
    [first, second] = any_world.stored()
    assert {first.status, second.status} <= {"processed", "stale"}


def test_an_event_waits_as_received_until_stripe_has_answered(world: World) -> None:
    seen: list[list[str]] = []
    fake = Subscriptions(
        subscription(), at_ask=lambda: seen.append([each.status for each in world.stored()])
    )
    taken(world, fake, *TIE)
    assert seen == [["processed", "received"]]


@pytest.mark.parametrize("backwards", [False, True])
def test_where_stripe_does_not_answer_the_rule_decides_and_it_is_told(
    world: World, *, backwards: bool
) -> None:
    fake = Subscriptions()
    results = taken(world, fake, *(TIE[::-1] if backwards else TIE))
    assert world.state()["plan_id"] == 2  # evt_b, the greater id
    told = f"Stripe could not be asked about {SUBSCRIPTION} (no answer)"
    assert told in (results[1].error or "")


def test_once_stripe_is_silent_nobody_else_waits_for_it(world: World) -> None:
    world.subscribe("sub_Other", "user:77")
    fake = Subscriptions()
    others = [
        event(UPDATED, subscription(id="sub_Other", price=price), "2026-11-05", id=f"evt_{price}")
        for price in ("price_pro", "price_max")
    ]
    results = taken(world, fake, *TIE, *others)
    assert len(fake.asked) == 1
    assert all("could not be asked" in (results[n].error or "") for n in (1, 3))


def test_what_happened_before_the_fetch_undoes_nothing(world: World) -> None:
    fake = Subscriptions(subscription(price="price_max"))
    taken(world, fake, *TIE)
    taken(world, fake, update("price_pro", "2026-11-20", "evt_late"))
    assert world.state()["stripe_updated_at"] == FETCHED
    assert world.state()["plan_id"] == 2


def test_an_event_of_the_minutes_before_a_fetch_asks_again(world: World) -> None:
    """Our clock may be ahead of Stripe's: the event may have happened after the fetch."""
    taken(world, Subscriptions(subscription(price="price_max")), *TIE)
    fake = Subscriptions(subscription(price="price_pro"))
    taken(world, fake, update("price_pro", "2026-12-30T23:59:00", "evt_skewed"))
    assert fake.asked == [SUBSCRIPTION]
    assert world.state()["plan_id"] == 1


def test_a_rehearsal_asks_nobody(world: World) -> None:
    taken(world, None, TIE[0])
    assert world.receive(TIE[1], dry_run=True).status == "processed"
