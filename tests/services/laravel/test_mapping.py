"""Their words in ours: names, plans, subscriptions, usages, overages; and what means nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from aimeter_cli.errors import InvalidInput
from aimeter_cli.services.laravel.mapping import (
    overage_facts,
    plan_facts,
    subscription_facts,
    transaction_facts,
    usage_of,
)
from aimeter_cli.services.laravel.names import BillableNames
from aimeter_cli.services.laravel.values import SourceRow
from tests.services.laravel.moving import NOW
from tests.services.laravel.shop import USER

NAMES = BillableNames([USER], {})
WHO = {"id": "7", "billable_type": USER, "billable_id": "42"}


def row(table: str = "ai_usages", zone: Any = UTC, **values: str | None) -> SourceRow:
    return SourceRow(table, WHO | values, zone)


@pytest.mark.parametrize(
    ("types", "mapping", "expected"),
    [
        (["App\\Models\\User"], {}, ["user:1"]),
        (["App\\Models\\TeamMember"], {}, ["team_member:1"]),
        (["App\\HTTPClient"], {}, ["http_client:1"]),
        (["user"], {}, ["user:1"]),
        (["App\\Models\\User"], {"App\\Models\\User": "member"}, ["member:1"]),
        (["App\\Models\\User"], {"\\App\\\\Models\\\\User": "member"}, ["member:1"]),
        (["App\\User", "user"], {"App\\User": "user", "user": "user"}, ["user:1", "user:1"]),
        (["App\\User", "Crm\\User"], {"Crm\\User": "contact"}, ["user:1", "contact:1"]),
    ],
)
def test_a_class_becomes_a_type(
    types: list[str], mapping: dict[str, str], expected: list[str]
) -> None:
    names = BillableNames(types, mapping)
    told = [row(billable_type=each, billable_id="1") for each in types]
    assert [str(names.ref(each)) for each in told] == expected


@pytest.mark.parametrize(
    ("types", "mapping", "message"),
    [
        (["App\\User"], {"App\\Usr": "user"}, "--map: there is no billable_type App\\Usr"),
        (["App\\User", "Crm\\User"], {}, "App\\User and Crm\\User would both become user"),
        (["App\\User"], {"App\\User": "a user"}, "'a user:1' is not a billable"),
    ],
)
def test_a_mapping_that_cannot_be_meant_is_refused(
    types: list[str], mapping: dict[str, str], message: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        BillableNames(types, mapping)
    assert message in refused.value.message


@pytest.mark.parametrize(
    ("told", "features"),
    [
        (None, []), ("[]", []), ('["chat", "search"]', ["chat", "search"]),
        ('{"chat": true, "search": false}', ["chat"]),
    ],
)  # fmt: skip
def test_a_plan_keeps_its_limits_to_the_last_digit(told: str | None, features: list[str]) -> None:
    facts = plan_facts(
        row(
            "ai_plans", name="Pro", slug="Pro Plan", monthly_token_limit="100000.0",
            monthly_cost_limit="12.345678", overage_price_per_1k_tokens="0.000001", features=told,
            is_active="true", trial_days="14", deleted_at=None,
        )
    )  # fmt: skip
    assert (facts.slug, facts.token_limit, facts.trial_days) == ("pro-plan", 100_000, 14)
    assert (facts.cost_limit, facts.overage_price) == (Decimal("12.345678"), Decimal("0.000001"))
    assert (facts.features, facts.is_active) == (features, True)


@pytest.mark.parametrize(("active", "deleted"), [("0", None), ("f", None), ("1", "2026-01-01")])
def test_an_inactive_or_deleted_plan_is_archived(active: str, deleted: str | None) -> None:
    told = row("ai_plans", name="Old", slug="old", is_active=active, deleted_at=deleted)
    assert not plan_facts(told).is_active


OCTOBER, NOVEMBER, DECEMBER = (datetime(2026, month, 1, tzinfo=UTC) for month in (10, 11, 12))


@pytest.mark.parametrize(
    ("ends", "grace", "deleted", "expected"),
    [
        (None, None, None, (None, None)),
        ("2026-12-01", None, None, (DECEMBER, None)),
        (None, "2026-12-01", None, (None, DECEMBER)),
        ("2026-11-01", "2026-12-01", None, (DECEMBER, DECEMBER)),
        ("2026-10-01", "2026-11-01", None, (NOVEMBER, None)),
        (None, None, "2026-11-01", (NOVEMBER, None)),
        ("2026-12-01", None, "2026-11-01", (NOVEMBER, None)),
    ],
)
def test_a_subscription_ends_when_it_ended_there(
    ends: str | None, grace: str | None, deleted: str | None, expected: tuple[Any, Any]
) -> None:
    facts = subscription_facts(
        row(
            "ai_subscriptions", ai_plan_id="1", started_at="2026-09-01 00:00:00", ends_at=ends,
            grace_period_ends_at=grace, deleted_at=deleted,
        ),
        NAMES, NOW,
    )  # fmt: skip
    assert (facts.ends_at, facts.grace_period_ends_at) == expected
    assert not facts.forgotten_grace


def test_pitfall_21_a_grace_that_ran_out_and_was_never_cleared_expires_nobody() -> None:
    facts = subscription_facts(
        row("ai_subscriptions", ai_plan_id="1", started_at="2026-09-01 00:00:00",
            grace_period_ends_at="2026-10-01 00:00:00"),
        NAMES, NOW,
    )  # fmt: skip
    assert (facts.ends_at, facts.grace_period_ends_at) == (None, None)
    assert facts.forgotten_grace


def test_pitfall_22_a_start_that_renewals_moved_is_the_day_it_was_made() -> None:
    values = {
        "ai_plan_id": "1", "started_at": "2026-11-05 00:00:00", "renews_at": "2026-12-05 00:00:00",
        "created_at": "2026-03-05 09:00:00",
    }  # fmt: skip
    at_stripe = row("ai_subscriptions", **values, meta='{"stripe_subscription_id": "sub_1"}')
    facts = subscription_facts(at_stripe, NAMES, NOW)
    assert facts.started_at == datetime(2026, 3, 5, 9, tzinfo=UTC)
    assert facts.anchor == datetime(2026, 12, 5, tzinfo=UTC)
    by_hand = subscription_facts(row("ai_subscriptions", **values), NAMES, NOW)
    assert by_hand.started_at == datetime(2026, 11, 5, tzinfo=UTC)


def test_the_ids_of_stripe_leave_the_meta_and_what_is_none_stays() -> None:
    facts = subscription_facts(
        row("ai_subscriptions", ai_plan_id="1", started_at="2026-09-01 00:00:00",
            meta='{"stripe_subscription_id": "sub_1", "stripe_customer_id": "42", "a": 1}'),
        NAMES, NOW,
    )  # fmt: skip
    assert (facts.stripe_subscription, facts.stripe_customer) == ("sub_1", None)
    assert facts.meta == {"stripe_customer_id": "42", "a": 1}
    assert facts.has_odd_id


@pytest.mark.parametrize(
    ("inputs", "outputs", "total", "expected"),
    [
        ("80", "20", "100", (80, 20)),
        (None, None, "100", (100, 0)),
        ("80", "20", "130", (110, 20)),  # reasoning, cached: they count, too
        ("80", "20", "10", (0, 10)),
        ("80", "20", None, (80, 20)),
        (None, None, None, (0, 0)),
    ],
)
def test_a_usage_has_the_tokens_that_counted_there(
    inputs: str | None, outputs: str | None, total: str | None, expected: tuple[int, int]
) -> None:
    line = usage_of(
        usage(input_tokens=inputs, output_tokens=outputs, total_tokens=total), NAMES, NOW
    )
    assert (line.tokens[0], line.tokens[3]) == expected
    assert line.total_tokens == sum(expected)


@pytest.mark.parametrize(
    ("told", "nanos"),
    [
        ("0.290000", 290_000_000), ("0.29", 290_000_000), ("1e-06", 1_000), ("1.0e-07", 100),
        ("123456.789012", 123_456_789_012_000), ("0.30000000000000004", 300_000_000), ("0", 0),
        (None, 0),
    ],
)  # fmt: skip
def test_pitfall_1_money_is_exact_and_what_a_float_added_is_gone(
    told: str | None, nanos: int
) -> None:
    assert usage_of(usage(total_cost=told), NAMES, NOW).cost == nanos


def test_pitfall_18_naive_times_are_of_the_applications_zone() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    line = usage_of(usage(zone=berlin, occurred_at="2026-07-01 00:30:00"), NAMES, NOW)
    assert line.occurred_at == datetime(2026, 6, 30, 22, 30, tzinfo=UTC)
    told = usage_of(usage(zone=berlin, occurred_at="2026-07-01 00:30:00+00"), NAMES, NOW)
    assert told.occurred_at == datetime(2026, 7, 1, 0, 30, tzinfo=UTC)


def test_a_usage_keeps_its_meta_user_tenant_and_key() -> None:
    line = usage_of(
        usage(meta='{"a": 1}', idempotency_key="call-1", user_id="9", tenant_id="acme"), NAMES, NOW
    )
    assert line.meta == '{"a": 1, "laravel_idempotency_key": "call-1"}'
    assert (line.key, line.caller.user, line.caller.tenant) == ("laravel:usage:7", "user:9", "acme")
    members = BillableNames([USER], {USER: "member"})
    assert usage_of(usage(user_id="9"), members, NOW).caller.user == "member:9"
    assert usage_of(usage(meta="[]"), NAMES, NOW).meta is None
    assert usage_of(usage(meta="[1]"), NAMES, NOW).meta == '{"laravel_meta": [1]}'


def usage(zone: Any = UTC, **values: str | None) -> SourceRow:
    told = {
        "provider": "openai", "model": "m", "currency": "usd", "total_cost": "1",
        "occurred_at": "2026-11-10 00:00:00",
    }  # fmt: skip
    return row("ai_usages", zone, **(told | values))


def test_an_overage_lies_in_the_middle_of_its_period_but_not_in_the_future() -> None:
    told = {"tokens": "5", "cost": "0.07", "currency": "USD"}
    past = overage_facts(
        row("ai_overages", period_start="2026-10-01 00:00:00",
            period_end="2026-10-31 00:00:00", **told), NAMES, NOW)  # fmt: skip
    assert past.moment == datetime(2026, 10, 16, tzinfo=UTC)
    current = overage_facts(
        row("ai_overages", period_start="2026-11-10 00:00:00",
            period_end="2026-12-10 00:00:00", **told), NAMES, NOW)  # fmt: skip
    assert current.moment == NOW
    assert (current.nanos, current.currency, current.item) == (70_000_000, "usd", None)


@pytest.mark.parametrize(
    ("synced", "item", "expected"),
    [
        ("2026-11-01 00:00:00", "ii_1", "ii_1"),
        ("2026-11-01 00:00:00", None, "laravel:overage:7"),
        (None, "ii_1", "ii_1"),
        (None, None, None),
    ],
)
def test_an_overage_with_a_time_or_an_item_was_charged_there(
    synced: str | None, item: str | None, expected: str | None
) -> None:
    facts = overage_facts(
        row("ai_overages", period_start="2026-10-01 00:00:00", period_end="2026-11-01 00:00:00",
            cost="1", currency="usd", synced_at=synced, stripe_invoice_item_id=item),
        NAMES, NOW,
    )  # fmt: skip
    assert facts.item == expected
    assert (facts.synced_at is None) == (expected is None)


PERIOD = {"period_start": "2026-10-01 00:00:00", "period_end": "2026-11-01 00:00:00"}


@pytest.mark.parametrize(
    ("table", "values", "message"),
    [
        ("ai_plans", {"name": "Pro", "slug": None}, "it has no slug"),
        ("ai_plans", {"name": "P", "slug": "p", "monthly_token_limit": "-1"},
         "monthly_token_limit: cannot be negative, got -1"),
        ("ai_plans", {"name": "P", "slug": "p", "monthly_token_limit": "1.5"},
         "monthly_token_limit: '1.5' is not a whole number"),
        ("ai_plans", {"name": "P", "slug": "p", "features": "{"}, "features: not JSON"),
        ("ai_subscriptions", {"ai_plan_id": None}, "its plan was deleted"),
        ("ai_subscriptions", {"ai_plan_id": "1"}, "it has no started_at"),
        ("ai_subscriptions", {"ai_plan_id": "1", "started_at": "0000-00-00 00:00:00"},
         "started_at: '0000-00-00 00:00:00' is not a time"),
        ("ai_subscriptions",
         {"ai_plan_id": "1", "started_at": "2026-02-01", "ends_at": "2026-01-01"},
         "it ends before it starts"),
        ("ai_subscriptions",
         {"ai_plan_id": "1", "started_at": "2026-02-01", "billing_mode": "free"},
         "billing_mode: expected plan or credits, got 'free'"),
        ("ai_usages", {"billable_id": None}, "it has no billable"),
        ("ai_usages", {"currency": "xyz"}, "unknown currency 'xyz'"),
        ("ai_usages", {"total_cost": "-1"}, "cost: cannot be negative, got -1"),
        ("ai_usages", {"total_cost": "much"}, "total_cost: 'much' is not a decimal number"),
        ("ai_usages", {"provider": ""}, "provider: required"),
        ("ai_usages", {"occurred_at": "2026-11-16 00:00:00"}, "lies in the future"),
        ("ai_overages", PERIOD | {"cost": "-1"}, "cost: expected an amount from 0"),
        ("ai_overages", PERIOD | {"period_end": "2026-09-01"}, "its period ends before it starts"),
        ("ai_credit_transactions", {"wallet_id": "1", "amount": "-1"}, "amount: expected"),
        ("ai_credit_transactions", {"wallet_id": "1", "amount": "1", "direction": "in"},
         "direction: expected credit or debit, got 'in'"),
    ],
)  # fmt: skip
def test_a_row_that_means_nothing_says_why(
    table: str, values: dict[str, str | None], message: str
) -> None:
    told = usage(**values) if table == "ai_usages" else row(table, **values)
    with pytest.raises(InvalidInput) as refused:
        MEANING[table](told)
    assert message in refused.value.message


MEANING: dict[str, Any] = {
    "ai_plans": plan_facts,
    "ai_subscriptions": lambda told: subscription_facts(told, NAMES, NOW),
    "ai_usages": lambda told: usage_of(told, NAMES, NOW),
    "ai_overages": lambda told: overage_facts(told, NAMES, NOW),
    "ai_credit_transactions": transaction_facts,
}
