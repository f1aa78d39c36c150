"""Eight sync processes at once, while usage goes on arriving."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal

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
    command = [sys.executable, "-m", "tests.support.sync_process", url, any_world.sandbox.url]
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=_root())
        for _ in range(PROCESSES)
    ]
    for _ in range(3):
        for ref in refs:
            any_world.use(10_000, ref)
    settled = 0
    for process in processes:
        out, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        settled += int(out)
    last = any_world.sync(limit=1000)
    assert (last.failed, last.unknown, last.deferred, last.remaining) == (0, 0, 0, 0)
    overages = any_world.overages
    assert {overage.status for overage in overages} == {"synced"}
    assert settled + last.synced == len(overages)
    assert sum(overage.amount for overage in overages) == Decimal("2.60") * BILLABLES
    assert any_world.charged() == [260] * BILLABLES
    assert len({overage.item_id for overage in overages}) == len(any_world.items) == BILLABLES


def _root() -> str:
    from pathlib import Path

    return str(Path(__file__).parents[3])
