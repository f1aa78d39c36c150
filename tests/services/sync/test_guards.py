"""Guards: what is absurd is held and told, and charged once an operator has released it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from aimeter_cli.domain.guards import fitting
from aimeter_cli.models.domain_events import DomainEvent
from aimeter_cli.services.overages import by_hand
from aimeter_cli.services.sync import guards
from tests.support.world import NOW, World


@pytest.mark.parametrize(
    ("limit", "already", "amounts", "taken"),
    [
        (10, 0, [(1, 10)], {1}),
        (10, 0, [(1, 11)], set()),
        (10, 4, [(1, 7), (2, 6)], {2}),
        (10, 0, [(1, 6), (2, 5), (3, 4)], {1, 3}),
        (10, 11, [(1, -2), (2, 1)], {1, 2}),
    ],
)
def test_the_oldest_that_fit_are_taken(
    limit: int, already: int, amounts: list[tuple[int, int]], taken: set[int]
) -> None:
    assert fitting(limit, already, amounts) == taken


def limited(world: World, *, customer: str = "0", run: str = "0") -> None:
    world.settings = replace(
        world.settings,
        max_amount_per_customer=Decimal(customer),
        max_amount_per_run=Decimal(run),
    )


def test_what_exceeds_the_limit_of_a_customer_is_held_until_it_is_released(world: World) -> None:
    limited(world, customer="5")
    world.subscriber(plan=world.plan())
    world.use(201_000)  # 4.00
    assert world.sync().exit_code == 0
    world.use(100_000)  # 2.00 more
    report = world.sync()
    assert (report.exit_code, report.failed, report.items[0].status) == (3, 1, "held")
    assert (report.items[0].error, report.items[0].amount_minor) == (guards.PER_CUSTOMER, 200)
    assert (world.charged(), world.statuses()) == ([400], ["synced", "held"])
    assert [event.name for event in world.rows(DomainEvent)].count("OverageSyncFailed") == 1
    world.use(50_000)  # 1.00 fits
    report = world.sync()
    assert (report.exit_code, report.blocked[0].detail) == (0, guards.PER_CUSTOMER)
    assert world.charged() == [500]
    by_hand.release(world.database, [2], now=NOW)
    assert world.sync().exit_code == 0
    assert (world.charged(), world.statuses()) == ([700], ["synced"] * 3)


def test_a_released_amount_does_not_use_up_the_limit(world: World) -> None:
    limited(world, customer="5")
    world.subscriber(plan=world.plan())
    world.use(1_001_000)  # 20.00
    world.sync()
    by_hand.release(world.database, [1], now=NOW)
    world.sync()
    world.use(100_000)
    assert world.sync().exit_code == 0
    assert world.charged() == [2200]


def test_what_exceeds_the_limit_of_a_run_is_held_whoever_owes_it(world: World) -> None:
    limited(world, run="9")
    plan = world.plan()
    for name in ("user:1", "user:2", "user:3"):
        world.subscriber(name, plan=plan)
        world.use(201_000, name)
    report = world.sync()
    assert (report.synced, report.failed, report.exit_code) == (2, 1, 3)
    assert world.charged() == [400, 400]
    assert world.statuses().count("held") == 1
    world.use(201_000, "user:4")  # nobody's: it has no subscription
    assert world.sync().exit_code == 0  # the next run has a limit of its own


def test_the_limits_are_in_the_configurations_currency(world: World) -> None:
    limited(world, customer="5")
    world.settings = replace(world.settings, currency_rates={"usd_jpy": Decimal(150)})
    world.subscriber(plan=world.plan(), currency="jpy")
    world.use(201_000)  # 4.00 USD = 600 JPY
    assert world.sync().exit_code == 0
    assert world.charged() == [600]
    world.use(100_000)
    assert world.sync().items[0].error == guards.PER_CUSTOMER


def test_a_limit_that_cannot_be_converted_lets_nothing_pass(world: World) -> None:
    limited(world, customer="5")
    world.subscriber(plan=world.plan(currency="eur"), currency="eur")
    world.use(201_000)
    assert world.sync().items[0].error == guards.NO_RATE
    assert (world.charged(), world.statuses()) == ([], ["held"])
    by_hand.release(world.database, [1], now=NOW)
    world.sync()
    assert world.charged() == [400]


def test_a_dry_run_tells_what_a_guard_would_hold_and_holds_nothing(world: World) -> None:
    limited(world, customer="1")
    world.subscriber(plan=world.plan())
    world.use(201_000)
    report = world.sync(dry_run=True)
    assert (report.items[0].status, report.exit_code) == ("held", 0)
    assert world.statuses() == ["open"]


def test_overages_of_a_closed_item_count_once_towards_the_limit_of_a_run(world: World) -> None:
    limited(world, run="5")
    world.subscriber(plan=world.plan())
    world.use(51_000)  # 1.00
    world.sync()
    world.use(150_000)  # 3.00 more, while its invoice is being finalised
    world.sandbox.add_fault("finalize:path=/v1/invoiceitems/*,method=POST,nth=1")
    assert world.sync().exit_code == 0
    assert world.charged() == [100, 300]
