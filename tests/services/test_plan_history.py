"""Usage that arrives late counts against the plan of its time, however many changes came since."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import permutations

import pytest

from aimeter_cli.domain.pricing import NO_PRICES
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.domain.subscription import plan_at
from aimeter_cli.domain.usage import usage_line
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.models.usages import UsageCounter
from aimeter_cli.repositories.payers import payer_of
from aimeter_cli.services.quota.check import check_quota
from aimeter_cli.services.recording.record import Recorder
from aimeter_cli.services.subscriptions.change_plan import change_plan
from tests.services.recording.conftest import any_world, world
from tests.support.world import World

__all__ = ["any_world", "world"]


def day(number: int, month: int = 11) -> datetime:
    return datetime(2026, month, number, tzinfo=UTC)


def plans(world: World, *slugs: str) -> None:
    """``user:42`` on the first of them, and put on the next ones on November 5, 10, …"""
    limits = {"huge": 1_000_000, "big": 100_000, "mid": 10_000, "pro": 1000}
    ids = [world.plan(slug, token_limit=limits[slug]) for slug in slugs]
    world.subscriber(plan=ids[0], customer=None)
    for number, slug in enumerate(slugs[1:], 1):
        change_plan(world.database, "user:42", slug, now=day(5 * number))


def tokens(world: World) -> dict[int, int]:
    """By plan."""
    return {each.plan_id: each.tokens for each in world.rows(UsageCounter)}


def charged(world: World) -> list[Decimal]:
    return sorted(each.amount for each in world.overages)


def test_after_two_changes_late_usage_counts_against_the_first_plan(any_world: World) -> None:
    plans(any_world, "huge", "pro", "mid")
    assert any_world.use(500_000, occurred_at="2026-11-03T00:00:00Z").charge == 0
    assert tokens(any_world) == {1: 500_000}


def test_after_an_upgrade_and_a_downgrade_nobody_pays_for_what_the_upgrade_held(
    any_world: World,
) -> None:
    plans(any_world, "pro", "big", "mid")
    assert any_world.use(1500, occurred_at="2026-11-03T00:00:00Z").charge == 10_000_000
    assert any_world.use(90_000, occurred_at="2026-11-07T00:00:00Z").charge == 0
    assert any_world.use(10_000, occurred_at="2026-11-12T00:00:00Z").charge == 0
    assert tokens(any_world) == {1: 1500, 2: 90_000, 3: 10_000}


def test_coming_back_counts_against_the_plan_of_each_time(any_world: World) -> None:
    plans(any_world, "pro", "big")
    change_plan(any_world.database, "user:42", "pro", now=day(10))
    for at in (3, 7, 12):
        any_world.use(at, occurred_at=f"2026-11-{at:02}T00:00:00Z")
    assert tokens(any_world) == {1: 15, 2: 7}


@pytest.mark.parametrize("order", list(permutations((3, 7, 12))))
def test_any_order_of_arrival_charges_the_same(order: tuple[int, ...], world: World) -> None:
    """One by one and in one batch, in which accounts are remembered."""
    plans(world, "pro", "mid", "big")
    lines = [
        usage_line({
            "billable": "user:42", "provider": "p", "model": "m", "input_tokens": 20_000,
            "cost": "0", "idempotency_key": f"{way}{at}", "occurred_at": f"2026-11-{at:02}",
        })
        for way in ("one", "batch") for at in order
    ]  # fmt: skip
    recorder = Recorder(world.database, world.settings, NO_PRICES)
    for line in lines[:3]:
        recorder.record_one(line, now=world.now)
    recorder.record(lines[3:], now=world.now)
    assert tokens(world) == {1: 40_000, 2: 40_000, 3: 40_000}
    assert charged(world) == [Decimal("0.6"), Decimal("0.78")]


def test_a_renewals_change_that_took_effect_is_kept_by_the_next_one(any_world: World) -> None:
    plans(any_world, "pro")
    for slug in ("big", "mid"):
        any_world.plan(slug, token_limit=100_000)
    change_plan(any_world.database, "user:42", "big", now=day(20), at="renewal")
    change_plan(any_world.database, "user:42", "mid", now=day(10, 12), at="renewal")
    any_world.now = datetime(2027, 1, 2, tzinfo=UTC)
    for at in ("2026-11-30T23:59:59Z", "2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z"):
        any_world.use(10, occurred_at=at)
    found = [(each.plan_id, each.period_start.month) for each in any_world.rows(UsageCounter)]
    assert found == [(1, 11), (2, 12), (3, 1)]


def test_a_change_that_never_came_leaves_no_trace(any_world: World) -> None:
    plans(any_world, "pro", "big")
    any_world.plan("mid")
    change_plan(any_world.database, "user:42", "mid", now=day(10), at="renewal")
    change_plan(any_world.database, "user:42", "big", now=day(11))  # taken back
    change_plan(any_world.database, "user:42", "mid", now=day(12), at="renewal")
    change_plan(any_world.database, "user:42", "pro", now=day(13))  # replaced
    [row] = any_world.rows(Subscription)
    assert row.plan_history == [{"plan_id": 1, "until": "2026-11-05T00:00:00Z"}]
    moments = (day(1), day(5), day(13), day(2, 12))
    assert [plan_at(row, each) for each in moments] == [1, 2, 1, 1]


def test_a_later_renewal_replaces_a_change_that_was_to_come_before_it(world: World) -> None:
    """Stripe's period has become longer since."""
    for slug in ("pro", "big", "mid"):
        world.plan(slug)
    world.subscriber(
        plan=1, customer=None, period_alignment="anchored", current_period_start=day(1),
        current_period_end=day(20),
    )  # fmt: skip
    change_plan(world.database, "user:42", "big", now=day(10), at="renewal")
    with world.database.write() as session:
        session.get_one(Subscription, 1).current_period_end = day(25)
    change_plan(world.database, "user:42", "mid", now=day(11), at="renewal")
    [row] = world.rows(Subscription)
    assert [plan_at(row, day(at)) for at in (19, 20, 24, 25)] == [1, 1, 1, 3]


def test_a_check_of_the_past_has_the_plan_and_limits_of_then(any_world: World) -> None:
    plans(any_world, "huge", "pro", "mid")
    checks = [
        check_quota(
            any_world.database, any_world.settings, BillableRef.parse("user:42"), now=day(at)
        )
        for at in (3, 7, 12)
    ]
    found = [(each.plan, [limit.limit for limit in each.limits]) for each in checks]
    assert [(plan, limits[0]) for plan, limits in found] == [
        ("huge", 1_000_000), ("pro", 1000), ("mid", 10_000),
    ]  # fmt: skip


def test_an_invoice_names_the_plan_with_which_its_period_ended(any_world: World) -> None:
    plans(any_world, "huge", "pro", "mid")
    with any_world.database.read() as session:
        ends = [day(5), day(5) + timedelta(microseconds=1), day(10), day(1, 12)]
        assert [payer_of(session, 1, end).plan for end in ends] == ["Huge", "Pro", "Pro", "Mid"]
