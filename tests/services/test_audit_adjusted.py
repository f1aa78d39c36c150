"""The audit of counters that cannot be replayed: repriced, pruned, under other limits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import pytest
from sqlalchemy import text

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.pricing import price_book
from aimeter_cli.sandbox.client import SandboxControl
from aimeter_cli.services.audit.run import run_audit
from aimeter_cli.services.repricing.run import reprice_usages
from tests.support.world import World, sandbox_settings

BOOK = price_book({"openai": {"gpt-4o-mini": {"input_per_1m": "1000"}}}, "usd")


@pytest.fixture
def repriced(any_database: Database) -> Iterator[World]:
    """Usages 1 and 2, their adjustments 3 and 4 (of ids above, at PostgreSQL), and 1.00 charged."""
    control = cast(SandboxControl, None)
    world = World(any_database, control, sandbox_settings("http://127.0.0.1:9"))
    world.subscriber(plan=world.plan(overage_price_per_1k_tokens=None), customer=None)
    for _ in range(2):
        world.use(1000, cost=None)
    reprice_usages(world.database, world.settings, BOOK, now=world.now)
    yield world
    world.close()


def differences(world: World) -> list[tuple[str, str]]:
    return [(each.check, each.detail) for each in run_audit(world.database).differences]


def test_what_was_repriced_adds_up(repriced: World) -> None:
    assert differences(repriced) == []


PRUNE = """
INSERT INTO ai_usage_days (day, billable_id, subscription_id, counter_id, overage_id, provider,
  model, requests, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens,
  reasoning_tokens, cost, currency, plan_cost, charge)
SELECT '2026-11-15', billable_id, subscription_id, counter_id, overage_id, provider, model,
  CASE WHEN adjusts_id IS NULL THEN 1 ELSE 0 END, input_tokens, 0, 0, 0, 0, COALESCE(cost, 0),
  currency, COALESCE(plan_cost, 0), charge
FROM ai_usages
"""


def test_what_was_pruned_counts_by_the_sums_of_its_days(repriced: World) -> None:
    with repriced.database.write() as session:
        for statement in (
            PRUNE,
            "DELETE FROM ai_usages WHERE adjusts_id IS NOT NULL",
            "DELETE FROM ai_usages",
        ):
            session.connection().execute(text(statement))
    assert differences(repriced) == []
    repriced.execute("UPDATE ai_usage_days SET charge = charge - 1 WHERE charge <> 0")
    assert differences(repriced) == [
        ("charges", "its usages charge 0.999999999 USD, its overages come to 1.00 USD"),
        ("overages", "its usages charge 0.999999999 USD, it amounts to 1.00 USD"),
    ]
    repriced.execute("UPDATE ai_usage_days SET charge = charge + 1 WHERE charge <> 0")
    repriced.execute("UPDATE ai_usage_days SET overage_id = NULL")
    assert ("charges", "without an overage it may charge 0.00 USD, it charges 1.00 USD") in (
        differences(repriced)
    )


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (
            "UPDATE ai_usage_counters SET tokens = tokens + 1",
            [("counters", "tokens: its usages come to 2,000, it counts 2,001")],
        ),
        (
            "UPDATE ai_usage_counters SET requests = 4",
            [("counters", "requests: its usages come to 2, it counts 4")],
        ),
        (
            "UPDATE ai_usage_counters SET cost = cost - 1",
            [("counters", "cost: its usages come to 2.00 USD, it counts 1.999999999 USD")],
        ),
        (
            "UPDATE ai_overages SET amount = amount + 1",
            [
                ("charges", "its usages charge 1.00 USD, its overages come to 1.000000001 USD"),
                ("overages", "its usages charge 1.00 USD, it amounts to 1.000000001 USD"),
            ],
        ),
        (
            "UPDATE ai_usages SET state = 'unpriced' WHERE id = (SELECT MIN(id) FROM ai_usages)",
            [("usages", "is unpriced, but was adjusted")],
        ),
        (
            "UPDATE ai_usages SET adjusts_id = (SELECT MIN(id) FROM ai_usages) WHERE cost > 0",
            [
                ("usages", "was adjusted 2 times"),
                ("usages", "is priced, but has no cost, and no adjustment tells it"),
            ],
        ),
        (
            "UPDATE ai_usage_counters SET is_adjusted = false",
            [
                ("counters", "requests: its usages come to 4, it counts 2"),
                ("counters", "excess token cost: its usages come to 0.00 USD, it counts 1.00 USD"),
                ("charges", "its terms make of its usages 0.00 USD, they charge 1.00 USD"),
            ],
        ),
    ],
)
def test_what_was_tampered_with_is_found(
    repriced: World, damage: str, found: list[tuple[str, str]]
) -> None:
    repriced.execute(damage)
    assert differences(repriced) == found


def test_an_adjustment_that_counts_tokens_is_found(repriced: World) -> None:
    repriced.execute("UPDATE ai_usages SET output_tokens = 1 WHERE adjusts_id IS NOT NULL")
    assert ("usages", "is an adjustment, but counts tokens") in differences(repriced)
