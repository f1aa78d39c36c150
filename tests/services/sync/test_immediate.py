"""The sync of some billables at once keeps the limits of one run."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from aimeter_cli.services.sync.immediate import sync_now
from aimeter_cli.signals import StopFlag
from tests.services.sync.test_drafts import CREATE
from tests.support.world import World


def used(world: World, billables: int) -> list[str]:
    """10.00 USD of each."""
    plan = world.plan()
    refs = [f"user:{n}" for n in range(billables)]
    for ref in refs:
        world.subscriber(ref, plan=plan)
        world.use(501_000, ref)
    return refs


def sync(world: World, refs: list[str], stop: StopFlag | None = None) -> list[str]:
    return sync_now(
        world.database, world.settings, world.driver, refs, now=world.now, stop=stop or StopFlag()
    )


def test_the_amount_of_a_run_is_limited_for_all_billables_together(world: World) -> None:
    world.settings = replace(world.settings, max_amount_per_run=Decimal(15))
    sync(world, used(world, 3))
    assert (world.charged(), world.statuses()) == ([1000], ["synced", "held", "held"])


def test_where_stripe_does_not_answer_for_one_the_others_are_not_tried(world: World) -> None:
    refs = used(world, 3)
    world.sandbox.add_fault(f"reset:{CREATE},times=9")
    notices = sync(world, refs)
    assert len(world.attempts) == 1
    assert "user:0" in notices[-1]


def test_after_a_signal_nothing_is_begun_and_that_is_told(world: World) -> None:
    stop = StopFlag()
    stop.stop()
    notices = sync(world, used(world, 2), stop)
    assert (world.attempts, len(notices)) == ([], 1)
    assert "the next sync-stripe-overages goes on" in notices[0]
