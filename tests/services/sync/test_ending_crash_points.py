"""A process killed inside each step of a final invoice: one invoice comes of it, once."""

from __future__ import annotations

import signal
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from aimeter_cli.models.final_invoices import FinalInvoice
from tests.support.crash_process import crash_at
from tests.support.world import NOW, World

ENDED = NOW + timedelta(days=1)
CREATE = "path=/v1/invoices,method=POST"
ADD = "path=/v1/invoices/*/add_lines,method=POST"
FINALIZE = "path=/v1/invoices/*/finalize,method=POST"
DAY = 25 * 3600


def ended(world: World, **values: Any) -> None:
    """10.00 USD on a pending item of a subscription that is over."""
    world.subscriber(plan=world.plan(), ends_at=ENDED, **values)
    world.use(501_000)
    world.sync()
    world.now = ENDED + timedelta(hours=1)


def ended_unpaid(world: World) -> None:
    ended(world, cancellation_reason="payment_failed")


def forgotten(fault: str, where: str) -> Callable[[World], None]:
    def prepare(world: World) -> None:
        """A step whose answer was lost, so long ago that its key is not used any more."""
        ended(world)
        world.sandbox.add_fault(f"{fault}:{where},nth=1")
        world.sync()
        world.time_passes(DAY)

    return prepare


def invoiced_by_a_person(world: World) -> None:
    ended(world)
    world.sandbox.add_fault(f"finalize:{ADD},nth=1")


def is_refused(world: World) -> None:
    ended(world)
    world.sandbox.add_fault(f"400:{FINALIZE},stored=no")


STEPS = [
    place.format(number)
    for number in (1, 2, 3)
    for place in (
        "send_invoice#{}:before",
        "send_invoice#{}:after",
        "next_phase#{}:within",
        "next_phase#{}:after",
    )
]
DONE = [("open", 1000)]
STORIES: list[tuple[str, Callable[[World], None], list[str], list[tuple[str, int]]]] = [
    ("ended", ended, ["claim_new:before", "claim_new:within", "claim_new:after", *STEPS,
                      "settle_idle_item:within", "settle_idle_item:after"], DONE),
    ("lost_create", forgotten("lost", CREATE), ["final.claim_due:within", "final.claim_due:after",
                                                "find_invoices:after", "next_phase:within"], DONE),
    ("lost_add", forgotten("lost", ADD), ["read_invoice:after", "next_phase:after"], DONE),
    ("lost_finalize", forgotten("lost", FINALIZE), ["read_invoice:after", "next_phase:within"],
     DONE),
    ("no_create", forgotten("reset", CREATE), ["begin_again:within", "begin_again:after"], DONE),
    ("no_add", forgotten("reset", ADD), ["begin_again:within", "begin_again:after"], DONE),
    ("no_finalize", forgotten("reset", FINALIZE), ["begin_again:within", "begin_again:after"],
     DONE),
    ("by_a_person", invoiced_by_a_person, ["drop_items:within", "drop_items:after"],
     [("draft", 0), ("open", 1000)]),
    ("refused", is_refused, ["settle_stopped:within", "settle_stopped:after"], [("draft", 1000)]),
    ("unpaid", ended_unpaid, ["apply_policy:within", "apply_policy:after"], []),
]  # fmt: skip
POINTS = [
    pytest.param(prepare, place, expected, id=f"{name}-{place}")
    for name, prepare, places, expected in STORIES
    for place in places
]


@pytest.mark.parametrize(("prepare", "place", "expected"), POINTS)
def test_a_process_killed_there_leaves_one_invoice_in_the_end(
    any_world: World,
    prepare: Callable[[World], None],
    place: str,
    expected: list[tuple[str, int]],
) -> None:
    prepare(any_world)
    assert crash_at(place, any_world) == -signal.SIGKILL
    if not any_world.database.is_sqlite:  # notices a moment later that a client is gone
        any_world.execute("LOCK TABLE ai_final_invoices, ai_invoice_items IN SHARE MODE")
    if any(row.status == "sending" for row in any_world.rows(FinalInvoice)):
        sent = len(any_world.sandbox.ledger())
        any_world.sync()
        assert len(any_world.sandbox.ledger()) == sent  # the lease is respected
    for _ in range(3):
        any_world.time_passes(3700)
        any_world.sync()
    assert any_world.sync().exit_code == 0
    made = sorted((row["status"], row["total"]) for row in any_world.sandbox.invoices())
    assert [row for row in made if row != ("paid", 0)] == [
        row for row in expected if row != ("draft", 0)
    ]
    assert any_world.charged() == [1000]
    held = {"held"} if not expected else {"synced"}
    assert set(any_world.statuses()) == held
