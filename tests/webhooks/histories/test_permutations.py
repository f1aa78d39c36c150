"""Every order of histories of six events, each with a repetition, ends in the one true state.

An order is handled in one transaction, in the order given; ``tests/webhooks/test_order.py``
has orders that come event by event.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from aimeter_cli.models.columns import table_of
from aimeter_cli.models.domain_events import DomainEvent
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.webhooks.asking import Asked
from aimeter_cli.webhooks.dispatch import Dispatcher
from aimeter_cli.webhooks.reading import incoming
from aimeter_cli.webhooks.results import EventResult
from aimeter_cli.webhooks.storing import Arrival, Rubbish, arrive, store
from aimeter_cli.webhooks.working import handle
from tests.webhooks.conftest import NOW, World
from tests.webhooks.payloads import (
    Event,
    Shape,
    deletion,
    event,
    failure,
    payment,
    stamp,
    subscription,
)

UPDATED = "customer.subscription.updated"
DECEMBER: dict[str, Any] = {"start": "2026-12-01", "end": "2027-01-01"}
_ROW = select(table_of(Subscription))
_NAMES = select(table_of(DomainEvent).c.name).where(
    table_of(DomainEvent).c.name != "PlanChanged"  # one for every plan that was the newest known
)
Arrived = Arrival | Rubbish


def change(at: str, was: dict[str, Any], shape: Shape = "new", **state: Any) -> Event:
    return event(UPDATED, subscription(shape, **state), at, previous=was, shape=shape,
                 id=f"evt_{stamp(at)}_{shape}")  # fmt: skip


def made(shape: Shape = "new", **state: Any) -> Event:
    body = subscription(shape, **state)
    return event("customer.subscription.created", body, "2026-11-01", shape=shape)


RENEWED = change("2026-12-01T00:00:05", {"latest_invoice": "in_0"}, "old", **DECEMBER)
PAST_DUE = change("2026-12-01T01:00:00", {"status": "active"}, status="past_due", **DECEMBER)
RECOVERED = change("2026-12-03T00:00:00", {"status": "past_due"}, "old", **DECEMBER)
TO_MAX = change("2026-11-10T00:00:00", {"items": subscription()["items"]}, price="price_max")
CANCELS = change(
    "2026-11-15T00:00:00", {"cancel_at_period_end": False}, "old", cancel_at_period_end=True
)
TAKES_BACK = change("2026-11-20T00:00:00", {"cancel_at_period_end": True})
PAUSED = change("2026-11-12T00:00:00", {"pause_collection": None},
                pause_collection={"behavior": "void", "resumes_at": None})  # fmt: skip
RESUMED = change("2026-11-18T00:00:00", {"pause_collection": {"behavior": "void"}}, "old")

TRIAL: dict[str, Any] = {
    "trial_end": "2026-11-08"
}  # it stays in the payload when the trial is over
HISTORIES: dict[str, list[Event]] = {
    "failed, paid, deleted": [
        made("old"), RENEWED, failure("old"), payment(), RECOVERED, deletion("old"),
    ],
    "changed, then to a price that no plan has": [
        made(),
        TO_MAX,
        PAUSED,
        RESUMED,
        change("2026-11-19T00:00:00", {"items": subscription()["items"]}, "old", price="price_odd"),
        CANCELS | {"id": "evt_cancels_odd", "created": stamp("2026-11-25"),
                   "data": {**CANCELS["data"], "object": subscription(
                       "old", price="price_odd", cancel_at_period_end=True)}},
    ],
    "changed, cancelled, reactivated": [
        made(),
        TO_MAX,
        change("2026-11-15", {"cancel_at_period_end": False}, price="price_max",
               cancel_at_period_end=True),
        change("2026-11-20", {"cancel_at_period_end": True}, "old", price="price_max"),
        change("2026-11-25", {"items": subscription(price="price_max")["items"]}),
        RENEWED,
    ],
    "paused, resumed, cancelled": [made(), PAUSED, RESUMED, CANCELS, TAKES_BACK, RENEWED],
    "trial": [
        made(status="incomplete"),
        change("2026-11-01T00:01:00", {"status": "incomplete"}, status="trialing", **TRIAL),
        event("customer.subscription.trial_will_end", subscription(status="trialing", **TRIAL),
              "2026-11-05"),
        event("customer.subscription.paused", subscription("old", status="paused", **TRIAL),
              "2026-11-08"),
        event("customer.subscription.resumed", subscription(**TRIAL), "2026-11-10"),
        change("2026-12-01", {"latest_invoice": "in_0"}, "old", **DECEMBER, **TRIAL),
    ],
    "unpaid twice": [
        made(), RENEWED, failure(), PAST_DUE, failure(at="2026-12-04", attempt=2),
        failure("old", at="2026-12-05", id="in_Extra"),
    ],
}  # fmt: skip


class Replays:
    """One world; every order is handled in a transaction that is rolled back."""

    def __init__(self, world: World) -> None:
        self.world = world

    def outcome(self, events: Sequence[Arrived]) -> tuple[dict[str, Any], list[str]]:
        """The whole row of the subscription, and the names of the domain events."""
        with self.world.database.write(dry_run=True) as session:
            stored = store(session, events, NOW)
            dispatcher = Dispatcher(session, self.world.settings, NOW, Asked(None, NOW))
            for each in handle(session, dispatcher, stored.events, force=False):
                assert isinstance(each, EventResult)
                assert each.status in ("processed", "stale", "duplicate"), each
            connection = session.connection()
            [row] = connection.execute(_ROW).mappings()
            names = sorted(connection.execute(_NAMES).scalars())
        return {k: v for k, v in row.items() if k != "updated_at"}, names


@pytest.fixture
def replays(world: World) -> Replays:
    return Replays(world)


def arrived(events: Sequence[Event]) -> list[Arrived]:
    return [arrive(incoming(json.dumps(each), "test")) for each in events]


CASES = [(name, 7) for name in HISTORIES] + [("failed, paid, deleted", 0), ("unpaid twice", 0)]


@pytest.mark.parametrize(("name", "days"), CASES)
def test_every_order_of_six_events_ends_as_the_true_one(
    replays: Replays, name: str, days: int
) -> None:
    replays.world = replays.world.with_grace(days)
    events = arrived(HISTORIES[name])
    true = replays.outcome(events)
    for number, order in enumerate(permutations(events)):
        row, told = replays.outcome([*order, order[number % len(order)]])
        assert row == true[0], [each.event.id for each in order if isinstance(each, Arrival)]
        if days == 0:  # a failure that is told after its payment never expires anything
            told = [each for each in told if each != "SubscriptionExpired"]
        assert told == [each for each in true[1] if days or each != "SubscriptionExpired"]


LONG = [made(), TO_MAX, CANCELS, TAKES_BACK, PAUSED, RESUMED, RENEWED, failure(), PAST_DUE,
        payment(), RECOVERED, failure(at="2026-12-05", id="in_Extra"), deletion()]  # fmt: skip


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_random_parts_of_a_long_history_in_random_order_end_as_in_true_order(
    replays: Replays, data: st.DataObject
) -> None:
    places = data.draw(st.lists(st.sampled_from(range(len(LONG))), min_size=1))
    events = arrived(LONG)
    true = replays.outcome([events[place] for place in sorted(set(places), key=_when)])
    assert replays.outcome([events[place] for place in places]) == true


def _when(place: int) -> tuple[int, int]:
    return LONG[place]["created"], place
