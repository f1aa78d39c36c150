"""Plans, overrides, usages and overages among what is here already."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.periods import PeriodRule
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.models.overages import Overage
from aimeter_cli.models.overrides import UsageLimitOverride
from aimeter_cli.models.plans import Plan
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.models.usages import Usage, UsageCounter
from aimeter_cli.services.credits.changes import add
from aimeter_cli.services.overages.by_hand import release
from aimeter_cli.services.plans import NewPlan, create_plan
from aimeter_cli.services.subscriptions.create import NewSubscription, create_subscription
from aimeter_cli.settings.table import Settings
from tests.services.laravel.moving import CHARGING, NOW, counts, move, reasons, rows
from tests.services.laravel.shop import Shop, furnished


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """With one plan, of 1,000 tokens."""
    shop.add("ai_plans", monthly_token_limit=1000, overage_price_per_1k_tokens="0.01")
    return shop


def test_a_plan_of_the_same_slug_stays_as_it_is_and_what_differs_is_told(
    database: Database, shop: Shop
) -> None:
    create_plan(database, NewPlan("Pro", "usd", token_limit=500), now=NOW)
    shop.add("ai_subscriptions")
    report = move(database, shop)
    assert counts(report)["ai_plans"] == (0, 1, 0)
    [plan] = rows(database, Plan)
    assert plan.token_limit == 500
    assert report.notes == [
        "the plan pro is here already, and stays as it is: token_limit is 500 here, 1000 there",
        (
            "the plan pro is here already, and stays as it is: overage_price_per_1k_tokens is none "
            "here, 0.01 USD there"
        ),
    ]


def test_pitfall_17_a_plan_of_the_same_slug_in_another_currency_is_told(
    database: Database, shop: Shop
) -> None:
    here = NewPlan("Pro", "eur", token_limit=1000, overage_price_per_1k_tokens=Decimal("0.01"))
    create_plan(database, here, now=NOW)
    told = [note.partition("as it is: ")[2] for note in move(database, shop).notes]
    assert told == [
        "currency is eur here, usd there",
        "overage_price_per_1k_tokens is 0.01 EUR here, 0.01 USD there",
    ]


def test_a_plan_that_changed_there_since_stays_as_it_was_and_that_is_told(
    database: Database, shop: Shop
) -> None:
    move(database, shop)
    shop.execute("UPDATE ai_plans SET overage_price_per_1k_tokens = 9")
    [note] = move(database, shop).notes
    assert note.endswith("overage_price_per_1k_tokens is 0.01 USD here, 9.00 USD there")


@pytest.mark.parametrize(
    ("configured", "price", "behavior"),
    [("charge", None, "allow"), ("charge", "0.01", None), ("block", None, None)],
)
def test_a_plan_without_a_price_charges_nothing_as_there(
    configured: Any, price: str | None, behavior: str | None, database: Database, shop: Shop
) -> None:
    shop.execute("UPDATE ai_plans SET overage_price_per_1k_tokens = :price", price=price)
    move(database, shop, Settings(overage_behavior=configured))
    assert [plan.overage_behavior for plan in rows(database, Plan)] == [behavior]


def test_an_override_holds_here_as_there_and_a_second_one_at_once_is_left_out(
    database: Database, shop: Shop
) -> None:
    november = {"period_start": "2026-11-01 00:00:00", "period_end": "2026-12-01 00:00:00"}
    shop.add("ai_subscriptions")
    shop.add("ai_usage_limit_overrides", token_limit=5000, cost_limit="1.5", **november)
    shop.add("ai_usage_limit_overrides", token_limit=9000, **november)
    for _ in range(2):
        report = move(database, shop)
        assert reasons(report) == [
            (
                "ai_usage_limit_overrides",
                "another override of its billable holds at the same time", 1, "2",
            )
        ]  # fmt: skip
    [override] = rows(database, UsageLimitOverride)
    assert (override.token_limit, override.cost_limit) == (5000, Decimal("1.5"))


def test_pitfall_17_a_cost_in_another_currency_is_converted_or_does_not_count(
    database: Database, shop: Shop
) -> None:
    settings = Settings(currency_rates={"eur_usd": Decimal("1.2")})
    shop.add("ai_subscriptions")
    shop.add("ai_usages", total_cost="1", currency="EUR")
    shop.add("ai_usages", total_cost="1", currency="gbp")
    report = move(database, shop, settings)
    usages = rows(database, Usage)
    assert [(each.cost, each.currency, each.plan_cost) for each in usages] == [
        (Decimal(1), "eur", Decimal("1.2")),
        (Decimal(1), "gbp", None),
    ]
    assert [each.state for each in usages] == ["priced", "priced"]  # no later rate charges it
    assert [each.cost for each in rows(database, UsageCounter)] == [Decimal("1.2")]
    assert [(each.currency, each.ours) for each in report.sums] == [
        ("eur", Decimal(1)),
        ("gbp", Decimal(1)),
    ]
    assert report.notes == [
        (
            "1 usage(s) cost another currency than their plan's, without a rate of their time: "
            "they do not count towards its cost limit"
        )
    ]


def test_a_usage_of_a_subscription_on_credits_counts_against_no_limit(
    database: Database, shop: Shop
) -> None:
    shop.add("ai_subscriptions", billing_mode="credits")
    shop.add("ai_usages", total_cost="1", total_tokens=5000)
    move(database, shop)
    [usage] = rows(database, Usage)
    assert (usage.counter_id, usage.state, usage.subscription_id) == (None, "priced", 1)


def test_a_second_open_overage_is_frozen_and_one_in_another_currency_held(
    database: Database, shop: Shop
) -> None:
    shop.add("ai_subscriptions")
    for values in ({"cost": "1"}, {"cost": "2"}, {"cost": "3", "currency": "eur"}):
        shop.add("ai_overages", **values)
    move(database, shop)
    assert [(each.status, each.amount, each.currency) for each in rows(database, Overage)] == [
        ("open", Decimal(1), "usd"), ("frozen", Decimal(2), "usd"), ("held", Decimal(3), "eur"),
    ]  # fmt: skip


def test_an_unsynced_overage_of_long_ago_waits_for_a_person(database: Database, shop: Shop) -> None:
    shop.add("ai_subscriptions")
    for _ in range(2):
        shop.add("ai_overages", cost="1", period_start="2026-09-01 00:00:00",
                 period_end="2026-10-01 00:00:00")  # fmt: skip
    report = move(database, shop)
    assert [(each.status, each.reason) for each in rows(database, Overage)] == [
        ("held", "imported_late")
    ] * 2
    assert report.notes == [
        (
            "2 unsynced overage(s) are of periods that ended more than 35 days ago: held, until "
            "aimeter overages release or waive"
        )
    ]
    assert [each.status for each in release(database, [1], now=NOW)] == ["frozen"]
    assert counts(move(database, shop))["ai_overages"] == (0, 2, 0)


def test_an_overage_of_before_the_subscription_belongs_to_it_all_the_same(
    database: Database, shop: Shop
) -> None:
    shop.add("ai_subscriptions", started_at="2026-11-05 00:00:00")
    shop.add("ai_overages", cost="1", period_start="2026-10-01 00:00:00",
             period_end="2026-11-01 00:00:00", synced_at="2026-10-20 00:00:00")  # fmt: skip
    move(database, shop)
    [overage] = rows(database, Overage)
    assert (overage.status, overage.subscription_id) == ("synced", 1)
    assert (overage.period_start.month, overage.period_end.month) == (10, 11)
    assert overage.external_item_id == "laravel:overage:1"


def test_a_database_with_a_history_of_its_own_keeps_it(database: Database, shop: Shop) -> None:
    create_plan(database, NewPlan("Own", "usd"), now=NOW)
    rule = PeriodRule("monthly", "anchored")
    other = NewSubscription(BillableRef("team", "9"), "own", rule)
    create_subscription(database, other, now=NOW)
    add(database, CHARGING, BillableRef("team", "9"), Decimal(7), now=NOW)
    shop.execute("DELETE FROM ai_plans")
    shop.execute("DELETE FROM sqlite_sequence")
    report = move(database, furnished(shop))
    assert report.rows_left_out == 0
    assert [plan.slug for plan in rows(database, Plan)] == ["own", "pro", "credits"]
    assert [each.plan_id for each in rows(database, Subscription)] == [1, 2, 3]
