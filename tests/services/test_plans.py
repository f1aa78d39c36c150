"""Plans are made, changed and archived; slugs and Stripe prices mean one plan each."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from aimeter_cli.db.engine import Database
from aimeter_cli.errors import AimeterError, Conflict, InvalidInput, NotFound
from aimeter_cli.services.plans import archive_plan, list_plans, show_plan, update_plan
from tests.conftest import Clock
from tests.services.world_of_plans import a_plan, a_subscription


def test_a_plan_is_made_with_all_its_fields(any_database: Database, clock: Clock) -> None:
    a_plan(
        any_database, clock(), "Pro (EU)", token_limit=0, cost_limit=Decimal("12.5"),
        request_limit=3, overage_price_per_1k_tokens=Decimal("0.000000001"),
        overage_behavior="charge", trial_days=14, features=["chat", " chat ", "export", ""],
        stripe_prices=["price_b", "price_a", "price_b"],
    )  # fmt: skip
    view = show_plan(any_database, "pro-eu")
    plan = view.plan
    assert (plan.slug, plan.name, plan.currency) == ("pro-eu", "Pro (EU)", "usd")
    assert (plan.token_limit, plan.cost_limit, plan.request_limit) == (0, Decimal("12.5"), 3)
    assert plan.overage_price_per_1k_tokens == Decimal("0.000000001")
    assert (plan.overage_behavior, plan.trial_days) == ("charge", 14)
    assert plan.features == ["chat", "export"]
    assert plan.is_active
    assert plan.created_at == plan.updated_at == clock()
    assert list(view.stripe_prices) == ["price_a", "price_b"]


def test_a_rehearsal_makes_nothing(any_database: Database, clock: Clock) -> None:
    from aimeter_cli.services.plans import NewPlan, create_plan

    made = create_plan(any_database, NewPlan("Pro", "usd"), now=clock(), dry_run=True)
    assert made.plan.slug == "pro"
    assert list_plans(any_database, include_archived=True) == []


@pytest.mark.parametrize(
    ("fields", "kind", "message"),
    [
        ({"name": "PRO"}, Conflict, "a plan with the slug pro exists already: Pro"),
        ({"slug": "pro"}, Conflict, "a plan with the slug pro exists already: Pro"),
        (
            {"stripe_prices": ["price_1"]},
            Conflict,
            "the Stripe price price_1 already means the plan pro",
        ),
        (
            {"stripe_prices": ["prod_1"]},
            InvalidInput,
            "--stripe-price: 'prod_1' is not a Stripe id of the expected shape price_…",
        ),
        ({"name": "  "}, InvalidInput, "NAME: a plan needs a name"),
        (
            {"slug": "A b"},
            InvalidInput,
            "--slug: 'A b' gives no slug: expected lower-case letters, digits, - and _",
        ),
    ],
)
def test_what_is_taken_or_misshapen_is_refused_whole(
    fields: dict[str, Any],
    kind: type[AimeterError],
    message: str,
    any_database: Database,
    clock: Clock,
) -> None:
    a_plan(any_database, clock(), stripe_prices=["price_1"])
    with pytest.raises(kind) as caught:
        a_plan(any_database, clock(), **{"name": "Other", **fields})
    assert caught.value.message == message
    assert [view.plan.slug for view in list_plans(any_database)] == ["pro"]


def test_only_what_is_given_changes(any_database: Database, clock: Clock) -> None:
    a_plan(any_database, clock(), token_limit=5, request_limit=7, stripe_prices=["price_1"])
    later = clock.advance(hours=1)
    update_plan(
        any_database,
        "pro",
        {"name": "Pro 2", "token_limit": None},
        now=later,
        add_prices=["price_2"],
        remove_prices=["price_1"],
    )
    view = show_plan(any_database, "pro")
    assert (view.plan.name, view.plan.token_limit, view.plan.request_limit) == ("Pro 2", None, 7)
    assert list(view.stripe_prices) == ["price_2"]
    assert view.plan.updated_at == later


def test_an_update_says_how_many_subscriptions_it_concerns(
    any_database: Database, clock: Clock
) -> None:
    a_plan(any_database, clock())
    a_subscription(any_database, clock())
    changed = update_plan(any_database, "pro", {"token_limit": 1}, now=clock())
    assert changed.live_subscriptions == 1


def test_a_price_that_is_not_the_plans_cannot_be_removed(
    any_database: Database, clock: Clock
) -> None:
    a_plan(any_database, clock())
    with pytest.raises(NotFound, match="the plan pro has no Stripe price price_9"):
        update_plan(any_database, "pro", {}, now=clock(), remove_prices=["price_9"])


def test_archiving_closes_a_plan_and_can_be_undone(any_database: Database, clock: Clock) -> None:
    a_plan(any_database, clock())
    a_subscription(any_database, clock())
    view, changed = archive_plan(any_database, "pro", now=clock())
    assert (view.plan.is_active, changed, view.live_subscriptions) == (False, True, 1)
    assert archive_plan(any_database, "pro", now=clock())[1] is False
    assert list_plans(any_database) == []
    assert len(list_plans(any_database, include_archived=True)) == 1
    assert archive_plan(any_database, "pro", now=clock(), undo=True)[0].plan.is_active


def test_an_unknown_plan_suggests_a_known_one(any_database: Database, clock: Clock) -> None:
    a_plan(any_database, clock())
    with pytest.raises(NotFound) as caught:
        show_plan(any_database, "prp")
    assert caught.value.message == "there is no plan prp"
    assert caught.value.hint == "Did you mean pro?"
