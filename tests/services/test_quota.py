"""The check before a call: what is left, and why a call is blocked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection

from aimeter_cli.db import prepared
from aimeter_cli.domain.allowance import LimitCheck
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.models.billables import Billable
from aimeter_cli.services.credits.changes import add
from aimeter_cli.services.overrides import NewOverride, set_override
from aimeter_cli.services.quota.check import check_quota
from aimeter_cli.services.subscriptions.change_plan import change_plan
from tests.services.recording.conftest import any_world, world
from tests.support.world import START, World

__all__ = ["any_world", "world"]

USER = BillableRef("user", "42")
DEC_2 = datetime(2026, 12, 2, tzinfo=UTC)
EARLY = datetime(2026, 11, 5, tzinfo=UTC)


def subscribed(world: World, *, behavior: str | None = "block", **values: Any) -> None:
    plan = world.plan(overage_behavior=behavior, cost_limit=Decimal(10))
    world.subscriber(plan=plan, customer=None, **values)


def check(world: World, ref: BillableRef = USER, **asked: Any) -> LimitCheck:
    return check_quota(world.database, world.settings, ref, now=world.now, **asked)


def test_it_says_what_is_left_of_every_limit(any_world: World) -> None:
    subscribed(any_world)
    fresh = check(any_world)
    left = (fresh.remaining_tokens, fresh.remaining_cost)
    assert (fresh.allowed, *left) == (True, 1000, Decimal(10))
    any_world.use(850, cost="1.5")
    found = check(any_world)
    assert (found.remaining_tokens, found.remaining_cost, found.remaining_requests) == (
        150, Decimal("8.5"), None,
    )  # fmt: skip
    assert (str(found.usage_percentage), found.is_approaching, found.is_exceeded) == (
        "85.00", True, False,
    )  # fmt: skip
    assert (found.plan, found.subscription_status, found.behavior) == ("pro", "active", "block")
    assert (found.period_start, found.currency, found.billing_mode) == (START, "usd", "plan")
    assert [(each.kind, each.used) for each in found.limits] == [
        ("tokens", 850), ("cost", Decimal("1.5")), ("requests", 1),
    ]  # fmt: skip


def test_a_call_is_blocked_by_its_estimate_and_once_the_limit_is_reached(world: World) -> None:
    subscribed(world)
    world.use(900)
    asked = [check(world, tokens=n).reason for n in (0, 100, 101)]
    assert asked == [None, None, "limit_would_be_passed"]
    assert check(world, cost=10_000_000_001).reason == "limit_would_be_passed"
    world.use(100)
    assert check(world).reason == "limit_reached"


@pytest.mark.parametrize(
    ("plan", "configured", "blocked"),
    [
        ("block", "charge", True),
        ("allow", "block", False),
        ("charge", "block", False),
        (None, "block", True),
        (None, "allow", False),
    ],
)
def test_the_plans_behaviour_decides_else_the_configurations(
    world: World, plan: str | None, configured: str, blocked: bool
) -> None:
    world.settings = replace(world.settings, overage_behavior=configured)  # type: ignore[arg-type]
    subscribed(world, behavior=plan)
    world.use(5000)
    found = check(world)
    assert (found.allowed, found.is_exceeded) == (not blocked, True)


def test_a_trial_has_its_own_behaviour_and_counter(world: World) -> None:
    subscribed(world, behavior="charge", trial_ends_at=datetime(2026, 11, 10, tzinfo=UTC))
    world.use(1000, occurred_at="2026-11-05T00:00:00Z")
    now, world.now = world.now, EARLY
    blocked = check(world)
    assert (blocked.reason, blocked.subscription_status) == ("limit_reached", "trialing")
    world.now = now
    assert (check(world).allowed, check(world).remaining_tokens) == (True, 1000)


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ({"ends_at": EARLY}, None),
        ({"expired_at": EARLY}, "expired"),
        ({"grace_period_ends_at": EARLY}, "expired"),
        ({"is_incomplete": True}, "incomplete"),
        ({"started_at": DEC_2}, "scheduled"),
    ],
)
def test_without_a_running_subscription_the_configuration_decides(
    any_world: World, facts: dict[str, Any], status: str | None
) -> None:
    subscribed(any_world, **facts)
    any_world.use(10**9)
    found = check(any_world)
    assert (found.allowed, found.limits, found.subscription_status) == (True, (), status)
    any_world.settings = replace(any_world.settings, no_subscription="block")
    assert check(any_world).reason == "no_subscription"


def test_in_grace_and_paused_the_limits_hold(world: World) -> None:
    subscribed(world, grace_period_ends_at=DEC_2, paused_at=EARLY)
    world.use(1000)
    assert check(world).reason == "limit_reached"


def test_somebody_nobody_knows_has_no_limit_and_is_not_made(world: World) -> None:
    assert check(world, BillableRef("user", "new")).allowed
    assert world.rows(Billable) == []


def test_an_override_is_the_limit_while_it_holds(any_world: World) -> None:
    subscribed(any_world)
    any_world.use(1000)
    end = datetime(2026, 11, 20, tzinfo=UTC)
    new = NewOverride(USER, tokens=5000, cost="unlimited", ends_at=end)
    set_override(any_world.database, any_world.settings, new, now=any_world.now)
    found = check(any_world)
    assert (found.allowed, found.remaining_tokens, found.remaining_cost) == (True, 4000, None)
    assert (found.is_overridden, found.explanation) == (
        True, "1,000 of 5,000 tokens (a limit override)",
    )  # fmt: skip
    any_world.now = START
    assert check(any_world).is_overridden
    any_world.now = end
    assert (check(any_world).reason, check(any_world).is_overridden) == ("limit_reached", False)


def test_a_change_at_renewal_shows_the_new_plan_from_then_on(any_world: World) -> None:
    subscribed(any_world)
    any_world.plan("big", token_limit=9000)
    any_world.use(1000)
    change_plan(any_world.database, "user:42", "big", now=any_world.now, at="renewal")
    assert (check(any_world).plan, check(any_world).allowed) == ("pro", False)
    any_world.now = DEC_2
    found = check(any_world)
    assert (found.plan, found.remaining_tokens) == ("big", 9000)


def test_the_terms_of_a_counter_that_was_begun_are_those_that_hold(world: World) -> None:
    subscribed(world)
    world.use(900)
    world.execute("UPDATE ai_plans SET token_limit = 5000")
    assert check(world).remaining_tokens == 100
    world.now = DEC_2
    assert check(world).remaining_tokens == 5000


def top_up(world: World, amount: str) -> None:
    add(world.database, world.settings, USER, Decimal(amount), now=world.now)


def test_in_credits_mode_the_wallet_is_the_limit(any_world: World) -> None:
    subscribed(any_world, billing_mode="credits")
    assert check(any_world).reason == "no_credits"
    top_up(any_world, "5")
    found = check(any_world, tokens=10**9)
    assert (found.allowed, found.remaining_cost, found.limits) == (True, Decimal(5), ())
    assert check(any_world, cost=5_000_000_001).reason == "credits_too_low"
    assert check(any_world, billing_mode="plan", tokens=1001).reason == "limit_would_be_passed"
    any_world.use(1, cost="6")
    assert check(any_world).reason == "unpaid_usages"


def test_a_calls_own_mode_asks_the_wallet_of_a_plan(world: World) -> None:
    subscribed(world)
    world.use(1000)
    assert check(world, billing_mode="credits").reason == "no_credits"
    assert check(world, BillableRef("user", "new"), billing_mode="credits").reason == "no_credits"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """The statements that hot paths run, with their parameters."""
    seen: list[tuple[str, Any]] = []
    execute = prepared.execute

    def note(connection: Connection, sql: str, values: Any) -> Any:
        seen.append((sql, values))
        return execute(connection, sql, values)

    monkeypatch.setattr(prepared, "execute", note)
    return seen


def test_a_check_is_two_statements_that_read_no_usage(
    world: World, asked: list[tuple[str, Any]]
) -> None:
    subscribed(world)
    for _ in range(3):
        world.use(1)
    asked.clear()
    check(world)
    assert len(asked) == 2
    assert not [sql for sql, _ in asked if "ai_usages" in sql]


def test_a_check_finds_every_row_by_an_index(world: World, asked: list[tuple[str, Any]]) -> None:
    """So that its cost does not grow with history."""
    subscribed(world)
    world.use(1)
    asked.clear()
    check(world)
    assert len(asked) == 2
    with world.database.engine.connect() as connection:
        for sql, values in asked:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", tuple(values))
            assert [row[3] for row in plan if row[3].startswith("SCAN")] == []
