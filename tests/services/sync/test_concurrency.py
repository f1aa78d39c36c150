"""Eight sync processes at once, while usage goes on arriving."""

from __future__ import annotations

from decimal import Decimal

from tests.support import sync_process
from tests.support.processes import start
from tests.support.world import World

PROCESSES = 8
BILLABLES = 30


def test_eight_processes_put_every_overage_into_exactly_one_item(any_world: World) -> None:
    plan = any_world.plan()
    refs = [f"user:{n}" for n in range(BILLABLES)]
    for ref in refs:
        any_world.subscriber(ref, plan=plan, customer=f"cus_missing{ref[5:]}")
        any_world.use(101_000, ref)
    made = [any_world.customer() for _ in refs]
    for number, customer in enumerate(made, 1):
        any_world.execute(
            "UPDATE ai_billables SET stripe_customer_id = :c WHERE id = :b", c=customer, b=number
        )
    url = any_world.database.url.render_as_string(hide_password=False)
    processes = start(sync_process.main, [(url, any_world.sandbox.url)] * PROCESSES)
    for _ in range(3):
        for ref in refs:
            any_world.use(10_000, ref)
    settled = sum(process.result() for process in processes)
    last = any_world.sync(limit=1000)
    assert (last.failed, last.unknown, last.deferred, last.remaining) == (0, 0, 0, 0)
    overages = any_world.overages
    assert {overage.status for overage in overages} == {"synced"}
    assert settled + last.synced == len(overages)
    assert sum(overage.amount for overage in overages) == Decimal("2.60") * BILLABLES
    assert any_world.charged() == [260] * BILLABLES
    assert len({overage.item_id for overage in overages}) == len(any_world.items) == BILLABLES
