"""A billable has one live subscription; what is over makes room by itself."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.errors import AimeterError, Conflict, InvalidInput, NotFound
from aimeter_cli.services.plans import archive_plan
from aimeter_cli.services.subscriptions.view import (
    SubscriptionFilter,
    list_subscriptions,
    show_subscription,
)
from tests.conftest import NOW, Clock
from tests.services.world_of_plans import (
    ANCHORED,
    OTHER,
    USER,
    a_plan,
    a_subscription,
    change,
    day,
    events,
)


def test_a_subscription_begins_now_on_the_configured_periods(
    any_database: Database, clock: Clock
) -> None:
    a_plan(any_database, clock())
    a_subscription(any_database, clock(), meta={"k": "v"})
    view = show_subscription(any_database, "user:42", now=clock())
    assert view.status == "active"
    assert view.billable.ref == "user:42"
    assert view.plan.slug == "pro"
    assert view.subscription.started_at == clock()
    assert view.subscription.meta == {"k": "v"}
    assert view.current_period_start == datetime(2026, 11, 1, tzinfo=UTC)
    assert view.renews_at == view.current_period_end == datetime(2026, 12, 1, tzinfo=UTC)


def test_renews_at_ends_the_first_period_and_anchors_the_next(
    any_database: Database, clock: Clock
) -> None:
    a_plan(any_database, clock())
    a_subscription(any_database, clock(), rule=ANCHORED, renews_at=day(10))
    view = show_subscription(any_database, "user:42", now=clock())
    row = view.subscription
    assert (row.current_period_start, row.current_period_end) == (NOW, day(10))
    assert (row.period_anchor, view.renews_at) == (day(10), day(10))
    assert row.period_at(day(11)).start == day(10)


@pytest.mark.parametrize(
    ("plan_days", "given", "ends"), [(0, None, None), (14, None, 14), (14, 3, 3), (14, 0, None)]
)
def test_a_trial_is_the_plans_unless_said_otherwise(
    plan_days: int, given: int | None, ends: int | None, database: Database, clock: Clock
) -> None:
    a_plan(database, clock(), trial_days=plan_days)
    view = a_subscription(database, clock(), trial_days=given)
    assert view.subscription.trial_ends_at == (None if ends is None else day(ends))
    assert view.status == ("active" if ends is None else "trialing")


def test_a_running_subscription_stands_in_the_way(any_database: Database, clock: Clock) -> None:
    a_plan(any_database, clock())
    first = a_subscription(any_database, clock())
    with pytest.raises(Conflict) as caught:
        a_subscription(any_database, clock())
    number = first.subscription.id
    assert caught.value.message == f"user:42 has a subscription already: {number}, active"
    assert caught.value.hint == "End it first: aimeter subscriptions cancel user:42"


@pytest.mark.parametrize(
    ("facts", "status", "emitted"),
    [
        ({"ends_at": day(1)}, "canceled", 0),
        ({"expired_at": day(1)}, "expired", 0),
        ({"grace_period_ends_at": day(1)}, "expired", 1),
    ],
)
def test_one_that_is_over_makes_room(
    facts: dict[str, Any], status: str, emitted: int, any_database: Database, clock: Clock
) -> None:
    a_plan(any_database, clock())
    first = a_subscription(any_database, clock()).subscription.id
    change(any_database, first, **facts)
    second = a_subscription(any_database, clock.advance(days=2)).subscription.id
    old = show_subscription(any_database, str(first), now=clock())
    assert (old.status, old.subscription.is_live) == (status, False)
    assert show_subscription(any_database, "user:42", now=clock()).subscription.id == second
    assert len(events(any_database)) == emitted


@pytest.mark.parametrize(
    ("fields", "kind", "message"),
    [
        ({"stripe_subscription": "sub_1"}, Conflict,
         "the Stripe subscription sub_1 belongs to the subscription 1 of user:42"),
        ({"stripe_customer": "cus_1"}, Conflict,
         "the Stripe customer cus_1 belongs to the billable user:42"),
        ({"stripe_customer": "sub_1"}, InvalidInput,
         "--stripe-customer: 'sub_1' is not a Stripe id of the expected shape cus_…"),
        ({"renews_at": NOW}, InvalidInput,
         "--renews-at: 2026-11-15T12:00:00Z does not lie after the start, 2026-11-15T12:00:00Z"),
    ],
)  # fmt: skip
def test_what_is_taken_or_out_of_order_is_refused_whole(
    fields: dict[str, Any],
    kind: type[AimeterError],
    message: str,
    any_database: Database,
    clock: Clock,
) -> None:
    a_plan(any_database, clock())
    a_subscription(any_database, clock(), stripe_customer="cus_1", stripe_subscription="sub_1")
    with pytest.raises(kind) as caught:
        a_subscription(any_database, clock(), OTHER, **fields)
    assert caught.value.message == message
    assert len(list_subscriptions(any_database, SubscriptionFilter(), now=clock())) == 1


def test_an_archived_plan_takes_nobody(any_database: Database, clock: Clock) -> None:
    a_plan(any_database, clock())
    archive_plan(any_database, "pro", now=clock())
    with pytest.raises(Conflict, match="the plan pro is archived: it takes no new subscriptions"):
        a_subscription(any_database, clock())


def test_of_many_who_subscribe_at_once_one_wins(any_database: Database, clock: Clock) -> None:
    a_plan(any_database, clock())

    def subscribe(_: int) -> bool:
        try:
            a_subscription(any_database, clock())
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(subscribe, range(8)))[-2:] == [False, True]


def test_a_list_is_filtered_by_status_plan_billable_and_missing_ids(
    any_database: Database, clock: Clock
) -> None:
    a_plan(any_database, clock())
    a_subscription(any_database, clock(), stripe_customer="cus_1", stripe_subscription="sub_1")
    a_subscription(any_database, clock(), OTHER, trial_days=3, stripe_customer="cus_2")
    a_subscription(any_database, clock(), BillableRef("team", "x"), started_at=day(1))

    def billables(**wanted: Any) -> list[str]:
        found = list_subscriptions(any_database, SubscriptionFilter(**wanted), now=clock())
        return [view.billable.ref for view in found]

    assert billables() == ["user:42", "user:43", "team:x"]
    assert billables(status="trialing") == ["user:43"]
    assert billables(status="scheduled") == ["team:x"]
    assert billables(plan="pro", billable=USER) == ["user:42"]
    assert billables(missing_stripe_ids=True) == ["user:43", "team:x"]
    assert billables(limit=1) == ["user:42"]
    with pytest.raises(NotFound, match="there is no plan prp"):
        billables(plan="prp")


@pytest.mark.parametrize(
    ("reference", "kind", "message"),
    [
        ("user:9", NotFound, "there is no billable user:9"),
        ("99", NotFound, "there is no subscription 99"),
        ("x", InvalidInput, "'x' is neither a billable such as user:42 nor a number"),
        (
            "9" * 30,
            InvalidInput,
            f"'{'9' * 30}' is neither a billable such as user:42 nor a number",
        ),
    ],
)
def test_an_unknown_subscription_is_an_error(
    reference: str, kind: type[AimeterError], message: str, any_database: Database
) -> None:
    with pytest.raises(kind) as caught:
        show_subscription(any_database, reference, now=NOW)
    assert caught.value.message == message
