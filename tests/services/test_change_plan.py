"""Plan changes: now or at renewal, without a clock, told once; counters are kept by plan."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlmodel import Session

from aimeter_cli.domain.pricing import NO_PRICES
from aimeter_cli.domain.usage import usage_line
from aimeter_cli.errors import AimeterError, Conflict, NotFound
from aimeter_cli.models.domain_events import DomainEvent
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.models.usages import UsageCounter
from aimeter_cli.repositories import subscriptions as repository
from aimeter_cli.services.billables import update_billable
from aimeter_cli.services.plans import archive_plan, show_plan
from aimeter_cli.services.recording.record import Recorder
from aimeter_cli.services.subscriptions.change_plan import change_plan
from aimeter_cli.services.subscriptions.ending import cancel_subscription, expire_subscriptions
from aimeter_cli.services.subscriptions.stripe_ids import set_stripe_ids
from aimeter_cli.services.subscriptions.view import (
    SubscriptionFilter,
    SubscriptionView,
    list_subscriptions,
    show_subscription,
)
from tests.services.recording.conftest import any_world, world
from tests.services.world_of_plans import USER
from tests.support.world import NOW, START, World

__all__ = ["any_world", "world"]

DEC, JAN = (datetime(*ym, 1, tzinfo=UTC) for ym in ((2026, 12), (2027, 1)))
DEC_2 = datetime(2026, 12, 2, tzinfo=UTC)


def subscribed(world: World, **values: Any) -> None:
    """``user:42`` on ``pro`` (1,000 tokens); there is ``big`` (100,000), too."""
    pro = world.plan()
    world.plan("big", token_limit=100_000)
    world.subscriber(plan=pro, customer=None, **values)


def change(world: World, to: str, **options: Any) -> SubscriptionView:
    return change_plan(world.database, "user:42", to, now=options.pop("now", world.now), **options)


def told(world: World) -> list[tuple[str, str, str]]:
    """(from, to, since) of each PlanChanged."""
    payloads = [
        json.loads(row.payload) for row in world.rows(DomainEvent) if row.name == "PlanChanged"
    ]
    return [(each["previous_plan"], each["plan"], each["effective_at"]) for each in payloads]


def counters(world: World) -> list[tuple[int, int, int]]:
    """(plan, month, tokens) of each counter."""
    return [(c.plan_id, c.period_start.month, c.tokens) for c in world.rows(UsageCounter)]


def test_a_change_now_counts_what_follows_against_the_new_plan(any_world: World) -> None:
    subscribed(any_world)
    any_world.use(900)
    changed = change(any_world, "big")
    assert (changed.plan.slug, changed.next_plan, changed.plan_changes_at) == ("big", None, None)
    assert any_world.use(5000).charge == 0
    assert counters(any_world) == [(1, 11, 900), (2, 11, 5000)]
    assert told(any_world) == [("pro", "big", "2026-11-15T12:00:00Z")]


def test_what_occurred_before_the_change_counts_against_the_plan_of_then(world: World) -> None:
    subscribed(world)
    change(world, "big")
    world.use(700, occurred_at="2026-11-15T11:59:59Z")
    world.use(800, occurred_at="2026-11-15T12:00:00Z")
    assert counters(world) == [(1, 11, 700), (2, 11, 800)]


def test_the_plans_of_then_hold_within_one_batch_and_after_a_second_change(world: World) -> None:
    subscribed(world)
    world.plan("huge", token_limit=10**9)
    change(world, "big", now=datetime(2026, 11, 5, tzinfo=UTC))
    change(world, "huge", now=datetime(2026, 11, 10, tzinfo=UTC))
    lines = [
        usage_line({
            "billable": "user:42", "provider": "p", "model": "m", "input_tokens": tokens,
            "cost": "0", "idempotency_key": stamp, "occurred_at": stamp,
        })
        for stamp, tokens in (("2026-11-07", 7), ("2026-11-12", 12), ("2026-11-08", 8))
    ]  # fmt: skip
    Recorder(world.database, world.settings, NO_PRICES).record(lines, now=world.now)
    assert counters(world) == [(2, 11, 15), (3, 11, 12)]


def test_a_change_at_renewal_takes_effect_by_itself(any_world: World) -> None:
    subscribed(any_world)
    set_ = change(any_world, "big", at="renewal")
    assert (set_.plan.slug, set_.next_plan, set_.plan_changes_at) == ("pro", "big", DEC)
    assert any_world.use(1500).charge == 10_000_000
    any_world.now = DEC_2
    assert any_world.use(1500).charge == 0
    assert any_world.use(500, occurred_at="2026-11-30T23:59:59Z").charge == 10_000_000  # late
    assert counters(any_world) == [(1, 11, 2000), (2, 12, 1500)]


def test_lists_show_the_plan_of_their_moment(any_world: World) -> None:
    subscribed(any_world)
    change(any_world, "big", at="renewal")
    for now, plan, following in ((NOW, "pro", "big"), (DEC, "big", None)):
        view = show_subscription(any_world.database, "user:42", now=now)
        assert (view.plan.slug, view.next_plan) == (plan, following)
        for slug in ("pro", "big"):
            wanted = SubscriptionFilter(plan=slug)
            found = list_subscriptions(any_world.database, wanted, now=now)
            assert [each.plan.slug for each in found] == ([slug] if slug == plan else [])
    counts = [show_plan(any_world.database, slug).live_subscriptions for slug in ("pro", "big")]
    assert counts == [1, 1]
    expire_subscriptions(any_world.database, now=DEC)
    counts = [show_plan(any_world.database, slug).live_subscriptions for slug in ("pro", "big")]
    assert counts == [0, 1]


@pytest.mark.parametrize("who", ["recording", "expire", "cancel", "stripe ids", "another change"])
def test_a_due_change_is_told_once_by_whoever_writes_next(any_world: World, who: str) -> None:
    subscribed(any_world)
    change(any_world, "big", at="renewal")
    any_world.use(10)
    assert told(any_world) == []
    any_world.now = DEC_2
    database = any_world.database

    def write() -> None:
        if who == "recording":
            any_world.use(10)
        elif who == "expire":
            expire_subscriptions(database, now=DEC_2)
        elif who == "cancel":
            cancel_subscription(database, "user:42", now=DEC_2, at=JAN)
        elif who == "stripe ids":
            set_stripe_ids(database, USER, now=DEC_2, subscription="sub_1")
        else:
            change(any_world, "pro", at="renewal")

    write()
    first = ("pro", "big", "2026-12-01T00:00:00Z")
    assert told(any_world) == [first]
    any_world.use(10)
    expire_subscriptions(database, now=DEC_2)
    assert told(any_world) == [first]


def test_many_writers_at_once_tell_a_due_change_once(any_world: World) -> None:
    subscribed(any_world)
    change(any_world, "big", at="renewal")
    any_world.now = DEC_2
    start = threading.Barrier(6)

    def write(number: int) -> None:
        start.wait()
        if number % 2:
            any_world.use(10)
        else:
            cancel_subscription(any_world.database, "user:42", now=DEC_2, at=JAN)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert told(any_world) == [("pro", "big", "2026-12-01T00:00:00Z")]
    assert counters(any_world) == [(2, 12, 30)]


def test_the_plan_of_now_takes_back_a_change_that_is_to_come(world: World) -> None:
    subscribed(world)
    change(world, "big", at="renewal")
    back = change(world, "pro")
    assert (back.plan.slug, back.next_plan) == ("pro", None)
    world.now = DEC_2
    world.use(10)
    assert (counters(world), told(world)) == ([(1, 12, 10)], [])


def test_a_change_now_replaces_one_that_is_to_come(world: World) -> None:
    subscribed(world)
    world.plan("small", token_limit=1)
    change(world, "big", at="renewal")
    change(world, "small")
    world.now = DEC_2
    world.use(10)
    assert counters(world) == [(3, 12, 10)]
    assert told(world) == [("pro", "small", "2026-11-15T12:00:00Z")]


def test_an_anchored_subscription_renews_when_its_own_period_ends(world: World) -> None:
    """Stripe's period, where it is stored."""
    end = datetime(2026, 11, 20, tzinfo=UTC)
    subscribed(
        world, period_alignment="anchored", current_period_start=START, current_period_end=end
    )
    assert change(world, "big", at="renewal").plan_changes_at == end


@pytest.mark.parametrize(
    ("to", "options", "kind", "message"),
    [
        ("pro", {}, Conflict, "the subscription user:42 is on the plan pro already"),
        ("big", {"from_plan": "big"}, Conflict, "is on the plan pro, not big"),
        ("bgi", {}, NotFound, "there is no plan bgi"),
        ("old", {}, Conflict, "the plan old is archived"),
        ("big", {"now": DEC, "at": "now"}, Conflict, "the subscription user:42 is over: canceled"),
        ("big", {"at": "renewal"}, Conflict, "ends on 2026-11-20T00:00:00Z: it does not renew"),
        (
            "big",
            {"at": "renewal", "now": datetime(2026, 10, 31, tzinfo=UTC)},
            Conflict,
            "the subscription starts on 2026-11-01T00:00:00Z only",
        ),
    ],
)
def test_a_change_that_cannot_be_changes_nothing(
    to: str, options: dict[str, Any], kind: type[AimeterError], message: str, world: World
) -> None:
    subscribed(world, ends_at=datetime(2026, 11, 20, tzinfo=UTC))
    world.plan("old")
    archive_plan(world.database, "old", now=NOW)
    before = world.rows(Subscription)
    with pytest.raises(kind, match=message):
        change(world, to, **options)
    assert (world.rows(Subscription), told(world)) == (before, [])


def test_a_rehearsal_changes_nothing(world: World) -> None:
    subscribed(world)
    assert change(world, "big", dry_run=True).plan.slug == "big"
    assert show_subscription(world.database, "user:42", now=NOW).plan.slug == "pro"
    assert told(world) == []


def test_a_guard_lets_the_change_through_on_its_plan(world: World) -> None:
    subscribed(world)
    assert change(world, "big", from_plan="pro").plan.slug == "big"


def test_overage_that_is_not_invoiced_keeps_the_currency_of_a_customer(any_world: World) -> None:
    subscribed(any_world)
    any_world.plan("euro", currency="eur")
    any_world.use(2000)
    with pytest.raises(Conflict, match="has overage in usd that is not invoiced yet") as caught:
        change(any_world, "euro")
    assert "aimeter billables update user:42 --currency usd" in str(caught.value.hint)
    update_billable(any_world.database, USER, {"currency": "usd"}, now=NOW)
    assert change(any_world, "euro").plan.slug == "euro"


def test_a_trial_follows_the_subscription_to_its_new_plan(world: World) -> None:
    subscribed(world, trial_ends_at=datetime(2026, 11, 20, tzinfo=UTC))
    change(world, "big")
    assert world.use(200_000).charge == 0  # in a trial it is blocked, not charged
    [row] = world.rows(UsageCounter)
    assert (row.plan_id, row.is_trial, row.overage_behavior) == (2, True, "block")


def test_the_overage_of_a_period_bears_the_name_of_the_plan_that_it_ended_with(
    any_world: World,
) -> None:
    from aimeter_cli.repositories.payers import payer_of

    subscribed(any_world)
    change(any_world, "big", at="renewal")
    with any_world.database.read() as session:
        assert [payer_of(session, 1, end).plan for end in (DEC, JAN)] == ["Pro", "Big"]


def test_a_plan_that_changes_price_by_price_is_exact(any_world: World) -> None:
    """Each plan's excess at its own price, on one overage each."""
    subscribed(any_world)
    any_world.plan("dear", token_limit=0, overage_price_per_1k_tokens=Decimal(1))
    any_world.use(1500)
    change(any_world, "dear")
    any_world.use(500)
    change(any_world, "pro", now=any_world.now)
    any_world.use(1000)
    found = sorted((o.tokens, o.amount) for o in any_world.overages)
    assert found == [(500, Decimal("0.5")), (1500, Decimal("0.03"))]


def test_due_changes_of_several_batches_are_told_once_each_and_a_rehearsal_tells_none(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aimeter_cli.services.subscriptions.ending._BATCH", 1)
    asked: list[int] = []
    due = repository.changed_plans

    def counted(session: Session, now: datetime, *, after: int, limit: int) -> Sequence[int]:
        asked.append(limit)
        return due(session, now, after=after, limit=limit)

    monkeypatch.setattr(repository, "changed_plans", counted)
    subscribed(world)
    change(world, "big", at="renewal")
    expire_subscriptions(world.database, now=DEC_2, dry_run=True)
    assert (asked, told(world)) == ([1, 1], [])
    expire_subscriptions(world.database, now=DEC_2)
    expire_subscriptions(world.database, now=DEC_2)
    assert told(world) == [("pro", "big", "2026-12-01T00:00:00Z")]
