"""What waits for a rate is priced once there is one, and only then."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import cast

import pytest

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.pricing import PriceBook, price_book
from aimeter_cli.domain.rates import Rate
from aimeter_cli.models.usages import Usage
from aimeter_cli.sandbox.client import SandboxControl
from aimeter_cli.services.rate_waiting import Priced, price_waiting
from aimeter_cli.services.rates import set_rates
from aimeter_cli.signals import StopFlag
from tests.support.world import World, sandbox_settings

D = Decimal


@pytest.fixture
def world(any_database: Database) -> Iterator[World]:
    nowhere = sandbox_settings("http://127.0.0.1:9")
    made = World(any_database, cast(SandboxControl, None), nowhere)
    yield made
    made.close()


def _set(world: World, base: str, quote: str, days_ago: int = 0) -> None:
    since = world.now - timedelta(days=days_ago)
    set_rates(world.database, [Rate(base, quote, D(2), since, "test")], now=world.now)


def _price(world: World, stop: StopFlag | None = None) -> Priced:
    def prices() -> PriceBook:
        assert stop is None, "they are read only where a usage waits, and nobody stopped"
        return price_book({"openai": {"gpt-4o-mini": {"input_per_1m": "1"}}}, "usd")

    return price_waiting(
        world.database, world.settings, prices, now=world.now, stop=stop or StopFlag()
    )


def _wait_for_a_rate(world: World) -> None:
    """An overage of user:42 in dollars, who is billed in euros."""
    world.subscriber(plan=world.plan(), customer=None, currency="eur")
    world.use(501_000)
    world.execute("UPDATE ai_overages SET status = 'needs_rate', reason = 'no rate'")


def test_an_overage_that_waited_can_be_sent_once_its_rate_is_there(world: World) -> None:
    _wait_for_a_rate(world)
    assert _price(world) == (0, 0)
    _set(world, "usd", "gbp")
    _set(world, "usd", "eur", days_ago=8)
    assert (_price(world), world.statuses()) == ((0, 0), ["needs_rate"])
    _set(world, "usd", "eur")
    assert (_price(world), world.statuses()) == ((1, 0), ["frozen"])
    assert _price(world) == (0, 0)


def test_a_usage_that_waited_is_priced_at_the_rate_of_its_time(world: World) -> None:
    world.subscriber(plan=world.plan(token_limit=None, cost_limit=D(1)), customer=None)
    early = world.now - timedelta(days=3)
    world.use(5, cost="2", currency="eur", occurred_at=early.isoformat())
    world.use(5, cost=None)  # it waits for a price, which is not looked for here
    _set(world, "eur", "usd", days_ago=2)
    assert _price(world) == (0, 0)
    _set(world, "eur", "usd", days_ago=3)
    assert _price(world) == (0, 1)
    told, unpriced, adjustment = world.rows(Usage)
    assert (told.state, unpriced.state) == ("priced", "unpriced")
    assert (adjustment.adjusts_id, adjustment.plan_cost) == (told.id, D(4))
    assert _price(world) == (0, 0)


def test_a_run_that_is_to_stop_prices_no_usage(world: World) -> None:
    world.subscriber(plan=world.plan(token_limit=None, cost_limit=D(1)), customer=None)
    world.use(5, cost="2", currency="eur")
    _set(world, "eur", "usd")
    stop = StopFlag()
    stop.stop()
    assert _price(world, stop) == (0, 0)
