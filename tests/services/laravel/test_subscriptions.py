"""Subscriptions among those that are here: who is live, whose the ids of Stripe are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.periods import PeriodRule
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.domain.subscription import status
from aimeter_cli.errors import Conflict
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.models.usages import UsageCounter
from aimeter_cli.services.laravel.writing.subscriptions import PLANNED
from aimeter_cli.services.plans import NewPlan, create_plan
from aimeter_cli.services.subscriptions.create import NewSubscription, create_subscription
from tests.services.laravel.moving import NOW, counts, everything, move, reasons, rows
from tests.services.laravel.shop import Shop

HERE = BillableRef("user", "1")


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """With one plan, of 1,000 tokens."""
    shop.add("ai_plans", monthly_token_limit=1000, overage_price_per_1k_tokens="0.01")
    return shop


def here(database: Database, **values: Any) -> None:
    """A subscription of ``user:1`` that did not come from there."""
    create_plan(database, NewPlan("Own", "usd"), now=NOW)
    rule = PeriodRule("monthly", "calendar")
    create_subscription(database, NewSubscription(HERE, "own", rule, **values), now=NOW)


def test_the_one_that_they_would_resolve_is_live_and_the_others_end_before_it(
    database: Database, shop: Shop
) -> None:
    ids = '{"stripe_subscription_id": "sub_1"}'
    shop.add("ai_subscriptions", started_at="2026-03-01 00:00:00", ends_at="2026-04-01 00:00:00")
    shop.add("ai_subscriptions", started_at="2026-09-01 00:00:00", meta=ids)
    shop.add("ai_subscriptions", started_at="2026-06-01 00:00:00", meta=ids)
    report = move(database, shop)
    found = sorted(rows(database, Subscription), key=lambda each: each.started_at)
    assert [(each.started_at.month, status(each, NOW), each.is_live) for each in found] == [
        (3, "canceled", False), (6, "canceled", False), (9, "active", True),
    ]  # fmt: skip
    assert found[1].ends_at == datetime(2026, 9, 1, tzinfo=UTC)
    assert [each.stripe_subscription_id for each in found] == [None, None, "sub_1"]
    assert report.notes == [
        (
            "1 subscription(s) ran beside a later one of the same billable, which alone counted "
            "there: they end when it begins"
        )
    ]


def test_one_that_begins_later_does_not_take_the_place_of_the_one_that_runs(
    database: Database, shop: Shop
) -> None:
    ids = '{"stripe_subscription_id": "sub_1"}'
    shop.add("ai_subscriptions", meta=ids)
    shop.add("ai_subscriptions", started_at="2027-01-01 00:00:00", meta=ids)
    report = move(database, shop)
    [found] = rows(database, Subscription)
    assert (status(found, NOW), found.is_live, found.ends_at) == ("active", True, None)
    assert found.stripe_subscription_id == "sub_1"
    assert reasons(report) == [("ai_subscriptions", PLANNED, 1, "2")]


def test_another_live_subscription_here_stops_the_import(database: Database, shop: Shop) -> None:
    here(database)
    shop.add("ai_subscriptions")
    before = everything(database)
    with pytest.raises(Conflict, match="another live subscription here already: user:1"):
        move(database, shop)
    assert everything(database) == before


def test_told_so_the_one_that_is_here_stays_and_usages_count_against_it(
    database: Database, shop: Shop
) -> None:
    here(database, started_at=NOW - timedelta(days=14))
    shop.add("ai_subscriptions")
    shop.add("ai_usages", total_tokens=300)
    report = move(database, shop, keep_existing=True)
    assert reasons(report) == [
        ("ai_subscriptions", "its billable has another live subscription here", 1, "1")
    ]
    assert [each.plan_id for each in rows(database, UsageCounter)] == [1]
    assert [each.tokens for each in rows(database, UsageCounter)] == [300]


def test_one_that_is_over_here_makes_room(database: Database, shop: Shop) -> None:
    here(database, started_at=NOW - timedelta(days=90))
    with database.write() as session:
        subscription = session.get_one(Subscription, 1)
        subscription.ends_at = NOW - timedelta(days=80)
        session.add(subscription)
    shop.add("ai_subscriptions")
    assert counts(move(database, shop))["ai_subscriptions"] == (1, 0, 0)
    assert [each.is_live for each in rows(database, Subscription)] == [False, True]


def test_an_id_of_stripe_that_is_anothers_is_not_set(database: Database, shop: Shop) -> None:
    ids = '{"stripe_subscription_id": "sub_1", "stripe_customer_id": "cus_1"}'
    shop.add("ai_subscriptions", billable_id=1, meta=ids)
    shop.add("ai_subscriptions", billable_id=2, meta=ids)
    report = move(database, shop)
    assert [each.stripe_customer_id for each in rows(database, Billable)] == ["cus_1", None]
    assert [each.stripe_subscription_id for each in rows(database, Subscription)] == ["sub_1", None]
    assert report.notes == [
        (
            "2 id(s) of Stripe belong to another billable or subscription here already, "
            "and were not set"
        )
    ]


def test_a_subscription_without_its_plan_is_left_out_with_what_depends_on_it(
    database: Database, shop: Shop
) -> None:
    shop.add("ai_subscriptions", ai_plan_id=None)
    shop.add("ai_subscriptions", billable_id=2, ai_plan_id=9)
    shop.add("ai_usage_limit_overrides", period_start="2026-11-01", period_end="2026-12-01")
    shop.add("ai_overages", cost="0.07")
    shop.add("ai_usages", total_cost="0.5")
    report = move(database, shop)
    assert reasons(report) == [
        ("ai_subscriptions", "its plan was deleted", 1, "1"),
        ("ai_subscriptions", "its plan is not there, or was left out", 1, "2"),
        ("ai_usage_limit_overrides", "its billable has no subscription", 1, "1"),
        ("ai_overages", "its billable has no subscription", 1, "1"),
    ]
    assert counts(report)["ai_usages"] == (1, 0, 0)  # tracked without a limit, as here
    assert [(each.what, each.theirs, each.left_out, each.ours) for each in report.sums] == [
        ("cost", Decimal("0.5"), Decimal(0), Decimal("0.5")),
        ("unsynced", Decimal("0.07"), Decimal("0.07"), Decimal(0)),
    ]
