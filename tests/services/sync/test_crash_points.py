"""A process killed between any two writes: nobody is charged twice, nothing is forgotten.

Every story below is killed at every place that it comes to, on a line of time: what comes before
the first ``|`` leaves nothing behind, what comes between the two leaves a lease, what comes after
the second has been settled. A place is named as in :mod:`tests.support.crash_process`;
``send:before,after`` are two.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

import pytest

from aimeter_cli.services.overages import by_hand
from tests.support.crash_process import crash_at
from tests.support.renewals import LAST_HOUR, receive, renew, renewing
from tests.support.world import NOW, World

CREATE = "path=/v1/invoiceitems,method=POST"
UPDATE = "path=/v1/invoiceitems/*,method=POST"
DAY = 25 * 3600


def owing(world: World) -> None:
    """10.00 USD."""
    world.subscriber(plan=world.plan())
    world.use(501_000)


def pending(world: World) -> None:
    """10.00 USD on a pending item, 2.00 more."""
    owing(world)
    world.sync()
    world.use(100_000)


def waived(world: World) -> None:
    pending(world)
    world.sync()
    by_hand.waive(world.database, [2], reason="goodwill", now=NOW)


def lost_create(world: World) -> None:
    owing(world)
    world.sandbox.add_fault(f"lost:{CREATE},nth=1")
    world.sync()


def old_lost_create(world: World) -> None:
    lost_create(world)
    world.time_passes(DAY)


def old_lost_update(world: World) -> None:
    pending(world)
    world.sandbox.add_fault(f"lost:{UPDATE},nth=1")
    world.sync()
    world.time_passes(DAY)


def never_arrived_create(world: World) -> None:
    owing(world)
    world.sandbox.add_fault(f"reset:{CREATE},nth=1")
    world.sync()
    world.time_passes(DAY)


def never_arrived_update(world: World) -> None:
    pending(world)
    world.sandbox.add_fault(f"reset:{UPDATE},nth=1")
    world.sync()
    world.time_passes(DAY)


def spent_key(world: World) -> None:
    owing(world)
    world.sandbox.add_fault(f"500_before:{CREATE},nth=1")
    world.sync()


def refused_and_waived(world: World) -> None:
    pending(world)
    world.sandbox.add_fault(f"400:{UPDATE},nth=1,stored=no")
    world.sync()
    by_hand.waive(world.database, [2], reason="goodwill", now=NOW)


def refused_for_its_currency(world: World) -> None:
    owing(world)
    world.sandbox.add_fault(f"400:{CREATE},nth=1,stored=no")
    world.sync()
    world.execute("UPDATE ai_billables SET currency = 'eur'")
    world.execute(
        "INSERT INTO ai_rates (base, quote, value, source, effective_at, created_at)"
        " VALUES ('usd', 'eur', '0.5', 'bank', :at, :at)", at="2026-11-14 00:00:00.000000",
    )  # fmt: skip
    by_hand.retry(world.database, None, now=NOW)


def waits_for_no_rate(world: World) -> None:
    world.subscriber(plan=world.plan(), currency="eur")
    world.use(501_000)
    world.sync()
    world.execute("UPDATE ai_billables SET currency = 'usd'")


def answer_gets_lost(world: World) -> None:
    owing(world)
    world.sandbox.add_fault(f"lost:{CREATE},nth=1")


def is_refused(world: World) -> None:
    owing(world)
    world.sandbox.add_fault(f"400:{CREATE},nth=1")


def changed_by_a_person(world: World) -> None:
    pending(world)
    world.sandbox.person_change_item(world.sandbox.items()[0]["id"], 777)


def finalised(world: World) -> None:
    pending(world)
    world.sandbox.person_finalize(world.sandbox.items()[0]["customer"])


def finalised_after_a_lost_update(world: World) -> None:
    old_lost_update(world)
    world.sandbox.person_finalize(world.sandbox.items()[0]["customer"])


def past_period(world: World) -> None:
    owing(world)
    world.sync()
    world.sandbox.person_finalize(world.sandbox.items()[0]["customer"])
    world.now += timedelta(days=20)
    world.time_passes(3700)


def past_period_deleted(world: World) -> None:
    owing(world)
    world.sync()
    world.sandbox.person_delete_item(world.sandbox.items()[0]["id"])
    world.now += timedelta(days=20)
    world.time_passes(3700)


def below_a_cent(world: World) -> None:
    world.subscriber(plan=world.plan(overage_price_per_1k_tokens=Decimal("0.004")))
    world.use(2_000)


def with_a_carry(world: World) -> None:
    """0.015 of which 0.01 is on an invoice, and 0.015 more."""
    world.subscriber(plan=world.plan(overage_price_per_1k_tokens=Decimal("0.005")))
    world.use(4_000)
    world.sync()
    past = world.sandbox.items()[0]
    world.sandbox.person_finalize(past["customer"])
    world.now += timedelta(days=20)
    world.time_passes(3700)
    world.sync()
    world.use(4_000)


def last_hour_of_a_renewal(world: World) -> None:
    """10.00 on no item yet, and the draft that closes the period is known."""
    subscription = renewing(world)
    world.now = LAST_HOUR
    world.use(501_000)
    receive(world, "invoice.created", renew(world, subscription))


def draft_closed_since(world: World) -> None:
    last_hour_of_a_renewal(world)
    world.sandbox.person_finalize(world.sandbox.customers()[0]["id"])


def closed_draft_after_a_lost_create(world: World) -> None:
    last_hour_of_a_renewal(world)
    world.sandbox.add_fault(f"lost:{CREATE},nth=1")
    world.sync()
    world.sandbox.person_finalize(world.sandbox.customers()[0]["id"])
    world.time_passes(DAY)


def forbidden(world: World) -> None:
    owing(world)
    world.settings = replace(world.settings, stripe_api_key="sk_test_forbidden")


@dataclass(frozen=True)
class Story:
    """What the sandbox must have charged in the end, and how the overages and items stand then."""

    prepare: Callable[[World], None]
    line: str
    charged: tuple[int, ...] = (1000,)
    statuses: tuple[str, ...] = ("synced",)
    items: tuple[str, ...] = ("idle",)

    def places(self) -> Iterator[tuple[str, bool]]:
        """Each place, and whether a process that dies there leaves a lease."""
        for part, phase in enumerate(self.line.split("|")):
            for word in phase.split():
                seam, _, moments = word.partition(":")
                for moment in moments.split(","):
                    yield f"{seam}:{moment}", part == 1


FRESH = "claim_fresh:within | claim_fresh:after"
DUE = "claim_due:within | claim_due:after"
DONE = "send:after settle_done:within | settle_done:after"
RAISED = "raise_generation:within,after"
TWO = ("synced", "synced")

STORIES = [
    Story(owing, f"claim_fresh:before {FRESH} {DONE}"),
    Story(pending, f"{FRESH} read:after {DONE}", (1200,), TWO),
    Story(waived, f"claim_dirty:within | claim_dirty:after read:after {DONE}",
          statuses=("synced", "waived")),
    Story(lost_create, f"{DUE} {DONE}"),
    Story(old_lost_create, "| find:after settle_done:within | settle_done:after"),
    Story(old_lost_update, "| read:after settle_done:within | settle_done:after", (1200,), TWO),
    Story(never_arrived_create, f"| find:after {RAISED} {DONE}"),
    Story(never_arrived_update, f"| read:after {RAISED} {DONE}", (1200,), TWO),
    Story(spent_key, f"| send:after find:after {RAISED} send#2:after settle_done:within | "
          "settle_done:after"),
    Story(refused_and_waived, "| read:after raise_generation:within | raise_generation:after",
          statuses=("synced", "waived")),
    Story(refused_for_its_currency, "| find:after raise_generation:within | "
          "raise_generation:after", (500,), items=("closed", "idle")),
    Story(waits_for_no_rate, "renew_waiting_rates:within,after |"),
    Story(answer_gets_lost, "| settle_wait:within | settle_wait:after"),
    Story(is_refused, "| send:after settle_failed:within | settle_failed:after", (),
          ("failed",), ("failed",)),
    Story(changed_by_a_person, "| read:after settle_held:within | settle_held:after",
          (777,), ("synced", "held"), ("held",)),
    Story(finalised, "| read:after settle_closed:within | settle_closed:after "
          "claim_fresh#2:within", (200, 1000), TWO, ("closed", "idle")),
    Story(finalised, f"| claim_fresh#2:after {DONE}", (200, 1000), TWO, ("closed", "idle")),
    Story(finalised_after_a_lost_update, "| read:after settle_closed:within | settle_closed:after",
          (1200,), TWO, ("closed",)),
    Story(past_period, "read:after settle_idle_item:within || settle_idle_item:after",
          items=("closed",)),
    Story(past_period_deleted, "read:after settle_idle_item:within || settle_idle_item:after",
          (), ("held",), ("held",)),
    Story(below_a_cent, "claim_fresh:within || claim_fresh:after", (), ("carried",)),
    Story(with_a_carry, f"{FRESH} {DONE}", (1, 2), TWO, ("closed", "idle")),
    Story(last_hour_of_a_renewal, f"{FRESH} {DONE}"),
    Story(draft_closed_since, "| send:after forget_draft:before,within,after find:after "
          f"{RAISED} send#2:after settle_done:within | settle_done:after"),
    Story(closed_draft_after_a_lost_create, "| find:after settle_done:within |",
          items=("closed",)),
    Story(forbidden, "| release:within | release:after"),
]  # fmt: skip

POINTS = [
    pytest.param(story, place, leased, id=f"{story.prepare.__name__}-{place}")
    for story in STORIES
    for place, leased in story.places()
]


@pytest.mark.parametrize(("story", "place", "leased"), POINTS)
def test_a_process_killed_there_charges_nobody_twice_and_the_next_runs_converge(
    any_world: World, story: Story, place: str, leased: bool
) -> None:
    story.prepare(any_world)
    assert crash_at(place, any_world) == -signal.SIGKILL
    any_world.settings = replace(any_world.settings, stripe_api_key="sk_test_world")
    wait_for_the_dead(any_world)
    assert leased == any(item.status == "sending" for item in any_world.items)
    if leased:
        sent = len(any_world.sandbox.ledger())
        meanwhile = any_world.sync()
        assert (meanwhile.selected, len(any_world.sandbox.ledger())) == (0, sent)
        assert meanwhile.remaining > 0 or "waived" in story.statuses
    for _ in range(3):
        any_world.time_passes(3700)
        if any_world.sync().remaining == 0:
            break
    any_world.time_passes(3700)
    last = any_world.sync()
    assert (last.selected, last.remaining, last.exit_code) == (0, 0, 0)
    assert any_world.charged() == list(story.charged)
    assert any_world.statuses() == list(story.statuses)
    assert [item.status for item in any_world.items] == list(story.items)
    created = [effect for effect in any_world.sandbox.effects() if effect["kind"] == "create"]
    assert len(created) == len(any_world.sandbox.items(deleted=True))


def wait_for_the_dead(world: World) -> None:
    """PostgreSQL notices a moment later that a client is gone: wait for what it had locked."""
    if not world.database.is_sqlite:
        world.execute("LOCK TABLE ai_overages, ai_invoice_items IN SHARE MODE")
