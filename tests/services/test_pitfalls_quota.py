"""PITFALLS.md, "Metering", as far as limits, overrides and plan changes go."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from aimeter_cli.domain.references import BillableRef
from aimeter_cli.errors import Conflict
from aimeter_cli.models.usages import UsageCounter
from aimeter_cli.services.audit.run import run_audit
from aimeter_cli.services.overrides import NewOverride, list_overrides, set_override
from aimeter_cli.services.quota.check import check_quota
from aimeter_cli.services.subscriptions.change_plan import change_plan
from tests.services.recording.conftest import any_world, world
from tests.support.world import World

__all__ = ["any_world", "world"]

USER = BillableRef("user", "42")


def override(world: World, **fields: object) -> None:
    new = NewOverride(USER, **fields)  # type: ignore[arg-type]
    set_override(world.database, world.settings, new, now=world.now)


def test_pitfall_10_a_plan_change_counts_every_usage_once_and_prorates_nothing(
    any_world: World,
) -> None:
    """There and back again: each plan has one counter in the period, and finds it used."""
    pro = any_world.plan()
    any_world.plan("big", token_limit=10_000)
    any_world.subscriber(plan=pro, customer=None)
    for plan in ("big", "pro", "big", "pro"):
        any_world.use(800)
        change_plan(any_world.database, "user:42", plan, now=any_world.now)
    any_world.use(800)
    counters = sorted((c.plan_id, c.tokens, c.token_limit) for c in any_world.rows(UsageCounter))
    assert counters == [(1, 2400, 1000), (2, 1600, 10_000)]
    [overage] = any_world.overages
    assert (overage.tokens, overage.amount) == (1400, Decimal("0.028"))
    assert run_audit(any_world.database).adds_up


def test_pitfall_11_an_estimate_is_checked_before_and_what_was_used_is_charged_after(
    any_world: World,
) -> None:
    """A 10,000-token call at 900 of 1,000."""
    any_world.subscriber(plan=any_world.plan(overage_behavior="block"), customer=None)
    any_world.use(900)
    allowed = [
        check_quota(
            any_world.database, any_world.settings, USER, now=any_world.now, tokens=tokens
        ).allowed
        for tokens in (0, 10_000)
    ]
    assert allowed == [True, False]
    any_world.execute("UPDATE ai_usage_counters SET overage_behavior = 'charge'")
    assert any_world.use(10_000).charge == 9_900 * 20_000


def test_pitfall_15_an_override_can_mean_unlimited(any_world: World) -> None:
    any_world.subscriber(plan=any_world.plan(), customer=None)
    override(any_world, tokens="unlimited")
    assert any_world.use(10**9).charge == 0
    found = check_quota(any_world.database, any_world.settings, USER, now=any_world.now)
    assert (found.remaining_tokens, found.is_exceeded) == (None, False)


def test_pitfall_15_overlapping_overrides_are_refused(any_world: World) -> None:
    any_world.subscriber(plan=any_world.plan(), customer=None)
    override(any_world, tokens=5000)
    with pytest.raises(Conflict, match="has an override from 2026-11-01T00:00:00Z"):
        override(any_world, tokens=9000, starts_at=datetime(2026, 11, 29, tzinfo=UTC))
    found = list_overrides(any_world.database, any_world.settings, now=any_world.now)
    assert [view.override.token_limit for view in found] == [5000]


def test_pitfall_16_a_check_sees_what_was_recorded_a_moment_ago_and_locks_nothing(
    any_world: World,
) -> None:
    any_world.subscriber(plan=any_world.plan(overage_behavior="block"), customer=None)
    any_world.use(999)
    with any_world.database.write() as session:  # somebody is recording meanwhile
        session.connection().exec_driver_sql("UPDATE ai_usage_counters SET requests = requests")
        found = check_quota(any_world.database, any_world.settings, USER, now=any_world.now)
    assert found.remaining_tokens == 1
    any_world.use(1)
    assert not check_quota(any_world.database, any_world.settings, USER, now=any_world.now).allowed


def test_pitfall_17_limits_and_their_events_name_the_plans_currency(world: World) -> None:
    world.subscriber(
        plan=world.plan(currency="eur", token_limit=None, cost_limit=Decimal(10)), customer=None
    )
    world.use(1, cost="4", currency="eur")
    world.use(1, cost="5", currency="usd")  # without a rate: never added to the euros
    found = check_quota(world.database, world.settings, USER, now=world.now)
    assert (found.remaining_cost, found.currency) == (Decimal(6), "eur")


@pytest.mark.parametrize(
    ("at", "plan"), [("2026-11-30T23:59:59.999999Z", 1), ("2026-12-01T00:00:00Z", 2)]
)
def test_pitfall_18_a_change_at_renewal_leaves_no_second_between_the_plans(
    world: World, at: str, plan: int
) -> None:
    pro = world.plan()
    world.plan("big", token_limit=10_000)
    world.subscriber(plan=pro, customer=None)
    change_plan(world.database, "user:42", "big", now=world.now, at="renewal")
    world.now = datetime(2026, 12, 3, tzinfo=UTC)
    world.use(1, occurred_at=at)
    [counter] = world.rows(UsageCounter)
    assert counter.plan_id == plan
