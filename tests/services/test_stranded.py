"""Items that no invoice will take within 35 days are named, with the reason and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.domain.stranded import stranded_reason
from aimeter_cli.sandbox.client import SandboxControl
from aimeter_cli.services.overages import by_hand
from aimeter_cli.services.overages.listing import Listing, list_overages
from aimeter_cli.services.overages.stranded import Stranded, find_stranded
from tests.support.world import NOW, START, World, sandbox_settings

MONTH_END = NOW + timedelta(days=16)


def day(days: float) -> datetime:
    return NOW + timedelta(days=days)


@dataclass(frozen=True)
class Item:
    """A pending item of this month, of a subscription that renews with it."""

    started_at: datetime = START
    ends_at: datetime | None = None
    trial_ends_at: datetime | None = None
    grace_period_ends_at: datetime | None = None
    expired_at: datetime | None = None
    paused_at: datetime | None = None
    is_incomplete: bool = False
    current_period_end: datetime | None = MONTH_END
    period_end: datetime = MONTH_END
    item_status: str = "idle"
    has_held: bool = False
    final_status: str | None = None


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({}, None),
        ({"grace_period_ends_at": day(1)}, None),
        ({"ends_at": day(-1)}, None),
        ({"ends_at": day(-1), "item_status": "unknown"}, None),
        ({"ends_at": day(-1), "item_status": "failed"}, "subscription_ended"),
        ({"expired_at": day(-1), "item_status": "held"}, "subscription_ended"),
        ({"grace_period_ends_at": day(-1), "final_status": "held"}, "subscription_ended"),
        ({"ends_at": day(-1), "final_status": "failed"}, "subscription_ended"),
        ({"ends_at": day(-1), "final_status": "sending"}, None),
        ({"ends_at": day(-1), "has_held": True}, "subscription_ended"),
        ({"has_held": True}, None),
        ({"ends_at": day(-1), "period_end": day(-36)}, "not_collected"),
        ({"paused_at": day(-1)}, "subscription_paused"),
        ({"paused_at": day(1)}, None),
        ({"paused_at": day(-1), "ends_at": day(-1)}, None),
        ({"current_period_end": day(36)}, "yearly"),
        ({"current_period_end": day(35)}, None),
        ({"current_period_end": day(36), "ends_at": day(20)}, None),
        ({"current_period_end": day(36), "ends_at": day(40)}, "yearly"),
        ({"current_period_end": None, "period_end": day(36)}, "yearly"),
        ({"current_period_end": day(5), "period_end": day(300)}, None),
        ({"period_end": day(-34)}, None),
        ({"period_end": day(-35)}, "not_collected"),
        ({"period_end": day(-35), "item_status": "held"}, "not_collected"),
    ],
)
def test_an_item_is_stranded_where_no_invoice_is_to_be_expected(
    facts: dict[str, Any], reason: str | None
) -> None:
    assert stranded_reason(Item(**facts), NOW, keeps=False) == reason


def test_ended_subscriptions_strand_their_items_where_nothing_makes_final_invoices() -> None:
    assert stranded_reason(Item(ends_at=day(-1)), NOW, keeps=True) == "subscription_ended"
    assert stranded_reason(Item(ends_at=day(1)), NOW, keeps=True) is None


def world_of(database: Database, sandbox: SandboxControl) -> World:
    """Whose items are made one after the other."""
    settings = sandbox_settings(sandbox.url, on_subscription_end="keep", stripe_concurrency=1)
    return World(database, sandbox, settings)


@pytest.fixture
def any_world(any_database: Database, sandbox: SandboxControl) -> Iterator[World]:
    made = world_of(any_database, sandbox)
    yield made
    made.close()


@pytest.fixture
def world(database: Database, sandbox: SandboxControl) -> Iterator[World]:
    made = world_of(database, sandbox)
    yield made
    made.close()


def charged(world: World, *refs: str) -> None:
    """A pending item of 10.00 for each billable."""
    plan = world.plan()
    for ref in refs:
        world.subscriber(ref, plan=plan)
        world.use(501_000, ref)
    assert world.sync().exit_code == 0


def subscription(world: World, number: int, **facts: Any) -> None:
    sets = ", ".join(f"{name} = :{name}" for name in facts)
    times = {
        name: value if not world.database.is_sqlite else value.strftime("%Y-%m-%d %H:%M:%S.%f")
        for name, value in facts.items()
    }
    world.execute(f"UPDATE ai_subscriptions SET {sets} WHERE id = :id", id=number, **times)


def listed(world: World, **options: Any) -> Listing:
    found = find_stranded(world.database, world.settings, now=world.now)
    return list_overages(world.database, stranded=found, **options)


def told(world: World, now: datetime = NOW) -> list[tuple[str, tuple[str, ...]]]:
    found = find_stranded(world.database, world.settings, now=now)
    return [(each.reason, each.billables) for each in found]


def test_stranded_items_are_grouped_by_reason(any_world: World) -> None:
    charged(any_world, *(f"user:{n}" for n in range(1, 6)))
    assert told(any_world) == []
    subscription(any_world, 1, ends_at=day(-1))
    subscription(any_world, 2, ends_at=day(-1))
    subscription(any_world, 3, paused_at=day(-1))
    subscription(any_world, 4, current_period_end=day(200))
    assert told(any_world) == [
        ("subscription_ended", ("user:1", "user:2")),
        ("subscription_paused", ("user:3",)),
        ("yearly", ("user:4",)),
    ]
    assert ("not_collected", ("user:5",)) in told(any_world, day(60))


def test_an_ended_subscription_is_left_to_the_sync_that_makes_its_final_invoice(
    world: World,
) -> None:
    charged(world, "user:1", "user:2")
    for number in (1, 2):
        subscription(world, number, ends_at=day(-1))
    world.settings = replace(world.settings, on_subscription_end="invoice")
    assert told(world) == []
    world.execute("UPDATE ai_invoice_items SET status = 'held' WHERE id = 2")
    [found] = find_stranded(world.database, world.settings, now=NOW)
    assert (found.reason, found.billables) == ("subscription_ended", ("user:2",))
    assert found.hint == (
        "aimeter overages list --status held --billable user:2; then aimeter overages release or "
        "waive ID"
    )


def test_what_is_held_because_it_ended_unpaid_is_stranded_until_it_is_released(
    any_world: World,
) -> None:
    charged(any_world, "user:1")
    subscription(any_world, 1, expired_at=day(-1))
    any_world.settings = replace(any_world.settings, on_subscription_end="invoice")
    any_world.sync()
    assert any_world.statuses() == ["held"]
    [found] = find_stranded(any_world.database, any_world.settings, now=NOW)
    assert found.hint.startswith("aimeter overages list --status held --billable user:1; then")
    [released] = by_hand.release(any_world.database, [1], now=NOW)
    assert (released.status, released.synced_at, released.reason) == ("synced", NOW, None)
    assert any_world.overages[0].released_at == NOW
    assert told(any_world) == []
    any_world.sync()
    assert [invoice["status"] for invoice in any_world.sandbox.invoices()] == ["open"]
    assert any_world.statuses() == ["synced"]


def test_a_final_invoice_that_waits_for_a_person_is_named(any_world: World) -> None:
    charged(any_world, "user:1")
    subscription(any_world, 1, ends_at=day(-1))
    any_world.settings = replace(any_world.settings, on_subscription_end="invoice")
    any_world.execute(
        "INSERT INTO ai_final_invoices (id, uid, billable_id, subscription_id, currency, status,"
        " phase, step, stripe_customer_id, stripe_invoice_id, generation, attempts, reason,"
        " created_at, updated_at) VALUES (1, 'u', 1, 1, 'usd', 'failed', 'finalize', 'send',"
        " 'cus_1', 'in_final', 0, 1, 'no address', '2026-11-15', '2026-11-15')"
    )
    any_world.execute("UPDATE ai_invoice_items SET final_invoice_id = 1")
    [found] = find_stranded(any_world.database, any_world.settings, now=NOW)
    why = "the final invoice in_final is failed (no address); mend the cause, then "
    assert found.hint == f"{why}aimeter overages retry ID"
    any_world.execute("UPDATE ai_final_invoices SET status = 'unknown'")
    assert told(any_world) == []


def test_a_closed_item_and_one_at_zero_are_not_stranded(world: World) -> None:
    charged(world, "user:1", "user:2")
    for number in (1, 2):
        subscription(world, number, ends_at=day(-1))
    by_hand.waive(world.database, [1], reason="goodwill", now=NOW)
    assert told(world) == [("subscription_ended", ("user:1", "user:2"))]
    world.sync()
    assert told(world) == [("subscription_ended", ("user:2",))]
    world.sandbox.person_finalize(str(world.items[1].stripe_customer_id))
    world.time_passes(7200)
    world.execute("UPDATE ai_invoice_items SET period_end = '2026-11-14 00:00:00.000000'")
    world.sync()
    assert told(world) == []


def test_stranded_overages_are_listed_with_their_reason_and_what_to_do(any_world: World) -> None:
    charged(any_world, "user:1", "user:2", "user:3")
    subscription(any_world, 1, paused_at=day(-1))
    subscription(any_world, 2, current_period_end=day(200))
    found = listed(any_world)
    assert [(row.id, row.stranded_reason) for row in found.rows] == [
        (2, "yearly"), (1, "subscription_paused"),
    ]  # fmt: skip
    invoices = [
        f"make an invoice for {item.stripe_customer_id} at Stripe that takes its pending items"
        for item in any_world.items
    ]
    assert found.summary == [
        "2 overage(s), 20.00 USD in all",
        f"subscription_paused: user:1: resume the subscription of user:1, or {invoices[0]}",
        f"yearly: user:2: {invoices[1]}; the subscription's own comes in more than 35 days",
    ]
    [yearly] = find_stranded(
        any_world.database, any_world.settings, now=NOW, billable=BillableRef("user", "2")
    )
    assert (yearly.reason, yearly.billables) == ("yearly", ("user:2",))
    only = listed(any_world, billable="user:2")
    assert ([row.id for row in only.rows], len(only.summary)) == ([2], 2)
    assert listed(any_world, statuses=("failed",)).rows == []
    by_hand.waive(any_world.database, [1, 2], reason="goodwill", now=NOW)
    assert listed(any_world).rows == []


def test_without_a_stranded_item_nothing_is_listed(world: World) -> None:
    charged(world, "user:1")
    assert (listed(world).rows, listed(world).summary) == ([], [])


def test_any_number_of_stranded_items_can_be_listed(world: World) -> None:
    """More than a statement may have parameters."""
    charged(world, "user:1")
    many = Stranded("yearly", tuple(range(1, 300_001)), ("user:1",), "")
    assert len(list_overages(world.database, stranded=[many]).rows) == 1
