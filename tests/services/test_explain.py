"""``overages explain``: every step from the usages to the invoice, in numbers and in a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from aimeter_cli.db.engine import Database
from aimeter_cli.errors import NotFound
from aimeter_cli.models.domain_events import DomainEvent
from aimeter_cli.sandbox.client import SandboxControl
from aimeter_cli.services.overages import by_hand
from aimeter_cli.services.overages import explain as explaining
from aimeter_cli.services.overages.explain import explain
from aimeter_cli.services.overages.explanation import Explanation
from tests.support.world import NOW, World, sandbox_settings

EXTERNAL = "ii_1PgafuLkdIwHu7ix"
PERIOD = "2026-11-01 to 2026-12-01"
WHAT = f"Overage 1 is 10.00 USD of user:42 beyond the plan pro, {PERIOD}."


@pytest.fixture
def world(database: Database, sandbox: SandboxControl) -> Iterator[World]:
    made = World(database, sandbox, sandbox_settings(sandbox.url))
    yield made
    made.close()


@pytest.fixture
def any_world(any_database: Database, sandbox: SandboxControl) -> Iterator[World]:
    made = World(any_database, sandbox, sandbox_settings(sandbox.url))
    yield made
    made.close()


def owing(world: World, **options: Any) -> None:
    world.subscriber(plan=world.plan(), **options)
    world.use(501_000)


def told(world: World, overage_id: int = 1, **options: int) -> Explanation:
    return explain(world.database, overage_id, **options)


def test_every_usage_is_shown_or_counted(any_world: World) -> None:
    owing(any_world)
    for tokens in (1_000, 2_000, 3_000):
        any_world.use(tokens, output_tokens=7)
    found = told(any_world, usages=2)
    assert [line.usage.input_tokens for line in found.usages] == [3_000, 2_000]
    older = found.older_usages
    assert (older.count, older.tokens) == (2, 502_007)
    shown = sum(line.usage.charge for line in found.usages)
    assert older.charge + shown == found.overage.amount == Decimal("10.120420")
    assert told(any_world).older_usages.count == 0


@pytest.mark.parametrize(
    ("terms", "basis", "amount", "decides"),
    [
        ({}, "500,000 tokens beyond 1,000, at 0.02 USD per 1,000", "10", "tokens"),
        ({"overage_price_per_1k_tokens": None},
         "500,000 tokens beyond 1,000, at their cost 2.994011976 USD × 1", "2.994011976", "tokens"),
        ({"token_limit": None, "cost_limit": Decimal(1)}, "2.00 USD beyond 1.00 USD × 1", "2",
         "cost"),
        ({"token_limit": None, "request_limit": 0},
         "2 requests beyond 0, at their cost 3.00 USD × 1", "3", "requests"),
    ],
)  # fmt: skip
def test_the_charge_that_decides_is_named_with_its_basis(
    terms: dict[str, Any], basis: str, amount: str, decides: str, world: World
) -> None:
    world.subscriber(plan=world.plan(**terms))
    for tokens in (250_500, 250_500):
        world.use(tokens, cost="1.5")
    found = told(world)
    [largest] = [line for line in found.charges if line.decides]
    assert (largest.of, largest.basis, largest.amount) == (decides, basis, Decimal(amount))
    assert found.totals.charge == found.totals.charged == largest.amount
    others = [line.amount for line in found.charges if not line.decides]
    assert all(other < largest.amount for other in others)


def test_the_terms_are_those_of_the_period_whatever_the_plan_says_now(world: World) -> None:
    owing(world)
    world.execute("UPDATE ai_plans SET token_limit = 5, overage_price_per_1k_tokens = 1")
    terms = told(world).terms
    assert (terms.token_limit, terms.overage_price_per_1k_tokens) == (1000, Decimal("0.02"))


def test_conversion_rounding_item_and_requests_are_shown(any_world: World) -> None:
    any_world.settings = replace(any_world.settings, currency_rates={"usd_eur": Decimal("0.8577")})
    any_world.subscriber(plan=any_world.plan(), currency="eur")
    any_world.use(502_234)
    any_world.sync()
    found = told(any_world)
    conversion, rounding, item = found.conversion, found.rounding, found.item
    assert conversion is not None
    assert rounding is not None
    assert item is not None
    assert (conversion.charge_amount, conversion.charge_currency) == (Decimal("8.598168036"), "eur")
    assert (conversion.rate, conversion.via) == (
        Decimal("0.8577"),
        "usd/eur 0.8577 (configuration)",
    )
    assert (rounding.amount_minor, rounding.remainder) == (859, Decimal("0.008168036"))
    assert (item.confirmed_minor, item.stripe_item_id) == (
        859,
        found.overage.stripe_invoice_item_id,
    )
    [attempt] = found.attempts
    ledger = [row for row in any_world.sandbox.ledger() if row["path"] == "/v1/invoiceitems"]
    assert (attempt.outcome, attempt.request_id) == ("done", ledger[0]["request_id"])


def test_what_was_carried_in_is_part_of_the_rounding(world: World) -> None:
    world.subscriber(plan=world.plan(overage_price_per_1k_tokens=Decimal("0.005")))
    world.use(4_000)
    world.sync()
    world.sandbox.person_finalize(world.sandbox.items()[0]["customer"])
    world.use(3_000)
    world.sync()
    first, second = told(world, 1), told(world, 2)
    assert first.item is not None
    assert first.rounding is not None
    assert second.rounding is not None
    assert (first.item.carry_out, first.item.carried_to_id) == (Decimal("0.005"), 2)
    assert first.in_words.endswith(
        f"It is on the invoice {first.item.stripe_invoice_id}, by {first.item.stripe_item_id}."
    )
    rounding = second.rounding
    assert (rounding.overages, rounding.carried_in) == (Decimal("0.015"), Decimal("0.005"))
    assert (rounding.carried_from, rounding.amount_minor) == ((1,), 2)


def test_a_request_that_was_lost_and_sent_again_is_one_attempt_of_two_sends(world: World) -> None:
    owing(world)
    world.sandbox.add_fault("lost:path=/v1/invoiceitems,method=POST,nth=1")
    world.sync()
    found = told(world)
    assert found.in_words == f"{WHAT} A request for it may have reached Stripe: {lost(world)}."
    assert found.next_step == "aimeter sync-stripe-overages --retry-now"
    world.sync()
    [attempt] = told(world).attempts
    assert (attempt.sends, attempt.outcome, attempt.amount_minor) == (2, "done", 1000)


def lost(world: World) -> str:
    return str(world.overages[0].last_error)


def test_only_requests_since_it_was_put_on_the_item_are_shown(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    owing(world)
    for _ in range(3):
        world.sync()
        world.use(100_000)
    world.sync()
    assert [attempt.version for attempt in told(world, 1).attempts] == [1, 2, 3, 4]
    assert [attempt.version for attempt in told(world, 3).attempts] == [3, 4]
    monkeypatch.setattr(explaining, "ATTEMPTS", 2)
    found = told(world, 1)
    assert ([each.version for each in found.attempts], found.attempts_in_all) == ([1, 2], 4)


def test_one_that_is_open_needs_a_sync_or_a_customer_first(world: World) -> None:
    owing(world, customer=None)
    found = told(world)
    assert found.in_words == f"{WHAT} It is open: usage is added to it until a sync freezes it."
    assert found.next_step == "aimeter subscriptions set-stripe-ids user:42 --customer cus_…"
    assert (found.item, found.rounding, found.conversion, found.attempts) == (None, None, None, ())
    world.execute("UPDATE ai_billables SET stripe_customer_id = 'cus_1'")
    assert told(world).next_step == "aimeter sync-stripe-overages"


def test_one_that_waits_for_a_rate_says_which(world: World) -> None:
    owing(world, currency="eur")
    world.sync()
    found = told(world)
    assert found.in_words == f"{WHAT} It waits for a rate: no rate from usd to eur."
    assert found.next_step == ("aimeter rates update --from ecb, or aimeter rates set usd eur RATE")


def test_one_that_was_charged_by_hand_names_the_item(world: World) -> None:
    owing(world)
    by_hand.mark_synced(world.database, 1, EXTERNAL, now=NOW)
    found = told(world)
    assert (
        found.in_words == f"{WHAT} It was charged by hand, by {EXTERNAL}; nothing is sent for it."
    )
    assert (found.next_step, found.item) == (None, None)


def test_one_that_was_waived_says_why_and_counts_for_nothing(world: World) -> None:
    owing(world)
    world.sync()
    by_hand.waive(world.database, [1], reason="goodwill", now=NOW)
    found = told(world)
    assert found.in_words == f"{WHAT} It was waived: goodwill."
    assert found.rounding is not None
    assert (found.rounding.total, found.next_step) == (Decimal(0), None)


def test_one_that_is_held_or_refused_says_why_and_what_to_type(world: World) -> None:
    owing(world)
    world.sync()
    world.use(100_000)
    world.sandbox.person_change_item(world.sandbox.items()[0]["id"], 900)
    world.sync()
    held = told(world, 2)
    assert held.in_words.endswith("It is held: changed_at_stripe.")
    assert str(held.next_step).startswith("aimeter overages release 2 charges it")
    assert told(world, 1).in_words.endswith(", which is held: changed_at_stripe.")
    world.subscriber("user:43", plan=1, customer="cus_nobody")
    world.use(501_000, "user:43")
    world.sync()
    failed = told(world, 3)
    assert "Stripe refused it: 400 resource_missing No such customer" in failed.in_words
    assert failed.next_step == "mend the cause, then aimeter overages retry 3"


def test_explaining_changes_nothing_and_what_is_not_there_is_an_error(world: World) -> None:
    owing(world)
    before = (world.overages, world.rows(DomainEvent))
    told(world)
    assert (world.overages, world.rows(DomainEvent)) == before
    with pytest.raises(NotFound, match="there is no overage 99"):
        told(world, 99)


def test_usages_that_have_no_price_yet_are_said_not_to_be_included(world: World) -> None:
    owing(world)
    world.execute("UPDATE ai_usages SET state = 'unpriced'")
    assert told(world).in_words.endswith(
        " 1 usage(s) of its period wait for a price or a rate: not included."
    )
