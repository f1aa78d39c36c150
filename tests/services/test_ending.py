"""Subscriptions end when an operator says so, or when grace runs out; once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.periods import iso
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.errors import Conflict, InvalidInput
from aimeter_cli.services.subscriptions.ending import cancel_subscription, expire_subscriptions
from aimeter_cli.services.subscriptions.view import (
    show_subscription,
)
from tests.conftest import NOW, Clock
from tests.services.world_of_plans import (
    a_plan,
    a_subscription,
    change,
    day,
    events,
)


@pytest.mark.parametrize(
    ("options", "ends", "status", "live"),
    [
        ({}, NOW, "canceled", False),
        ({"at": day(3)}, day(3), "active", True),
        ({"at": day(-1)}, day(-1), "canceled", False),
        ({"at_period_end": True}, datetime(2026, 12, 1, tzinfo=UTC), "active", True),
    ],
)
def test_cancelling_ends_it_now_or_when_said(
    options: dict[str, Any],
    ends: datetime,
    status: str,
    live: bool,
    any_database: Database,
    clock: Clock,
) -> None:
    a_plan(any_database, clock())
    a_subscription(any_database, clock(), started_at=day(-2))
    cancel_subscription(any_database, "user:42", now=clock(), **options)
    view = show_subscription(any_database, "user:42", now=clock())
    row = view.subscription
    assert (row.ends_at, view.status, row.is_live) == (ends, status, live)


def test_one_that_ends_with_its_period_does_not_renew(database: Database, clock: Clock) -> None:
    a_plan(database, clock())
    a_subscription(database, clock())
    view = cancel_subscription(database, "user:42", now=clock(), at_period_end=True)
    assert view.renews_at is None


def test_one_that_never_began_is_cancelled_at_once(database: Database, clock: Clock) -> None:
    a_plan(database, clock())
    a_subscription(database, clock(), started_at=day(5))
    assert cancel_subscription(database, "user:42", now=clock()).status == "canceled"
    assert a_subscription(database, clock()).status == "active"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"at": day(-9)}, ("--at: 2026-11-06T12:00:00Z lies before the subscription's start, "
         "2026-11-15T12:00:00Z")),
        ({"at": NOW, "at_period_end": True}, "--at and --at-period-end contradict each other"),
    ],
)  # fmt: skip
def test_a_time_that_cannot_be_is_refused(
    options: dict[str, Any], message: str, database: Database, clock: Clock
) -> None:
    a_plan(database, clock())
    a_subscription(database, clock())
    with pytest.raises(InvalidInput) as caught:
        cancel_subscription(database, "user:42", now=clock(), **options)
    assert caught.value.message == message


def test_what_is_over_cannot_be_cancelled(database: Database, clock: Clock) -> None:
    a_plan(database, clock())
    a_subscription(database, clock())
    cancel_subscription(database, "user:42", now=clock())
    with pytest.raises(Conflict, match="the subscription user:42 is over already: canceled"):
        cancel_subscription(database, "user:42", now=clock())


def test_grace_that_ran_out_expires_once(any_database: Database, clock: Clock) -> None:
    a_plan(any_database, clock())
    made = a_subscription(any_database, clock()).subscription
    number = made.id
    change(any_database, number, grace_period_ends_at=day(7), grace_invoice_id="in_1")
    assert expire_subscriptions(any_database, now=day(6)) == []
    rehearsed = expire_subscriptions(any_database, now=day(8), dry_run=True)
    assert [view.status for view in rehearsed] == ["expired"]
    assert events(any_database) == []
    expired = expire_subscriptions(any_database, now=day(8))
    assert [(view.subscription.expired_at, view.status) for view in expired] == [
        (day(7), "expired")
    ]
    assert expire_subscriptions(any_database, now=day(9)) == []
    assert events(any_database) == [
        (
            "SubscriptionExpired",
            (
                f'{{"expired_at": "2026-11-22T12:00:00Z", "invoice_id": "in_1", '
                f'"plan_id": {made.plan_id}, "reason": "payment_failed", '
                f'"started_at": "{iso(made.started_at)}", '
                f'"stripe_subscription_id": null, "subscription_id": {number}}}'
            ),
        )
    ]


def test_what_has_ended_is_closed_without_an_event(any_database: Database, clock: Clock) -> None:
    a_plan(any_database, clock())
    a_subscription(any_database, clock())
    cancel_subscription(any_database, "user:42", now=clock(), at=day(1))
    closed = expire_subscriptions(any_database, now=day(1))
    assert [(view.status, view.subscription.is_live) for view in closed] == [("canceled", False)]
    assert events(any_database) == []


def test_many_runs_at_once_expire_each_once(any_database: Database, clock: Clock) -> None:
    a_plan(any_database, clock())
    for number in range(10):
        made = a_subscription(any_database, clock(), BillableRef("user", str(number)))
        change(any_database, made.subscription.id, grace_period_ends_at=day(1))
    with ThreadPoolExecutor(4) as pool:
        runs = pool.map(lambda _: len(expire_subscriptions(any_database, now=day(2))), range(4))
        assert sum(runs) == 10
    assert len(events(any_database)) == 10
