"""A copy for staging is an installation of its own: it touches nothing of the original's."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import text

from aimeter_cli.models.installation import Installation
from aimeter_cli.services import installation as sync_state
from aimeter_cli.services.audit.run import run_audit
from aimeter_cli.services.copying import mark_copy
from tests.support.world import NOW, World


def owing(world: World, ref: str = "user:42", tokens: int = 501_000) -> None:
    world.subscriber(ref, plan=world.plan(ref.replace(":", "-")))
    world.use(tokens, ref)


def test_it_is_paused_and_knows_nobody(world: World) -> None:
    owing(world)
    world.sync()
    world.execute("UPDATE ai_subscriptions SET stripe_subscription_id = 'sub_1'")
    world.execute("INSERT INTO ai_plan_prices (stripe_price_id, plan_id) VALUES ('price_1', 1)")
    [before] = world.rows(Installation)
    told = mark_copy(world.database, now=NOW)
    assert (told.customers, told.subscriptions, told.prices, told.items) == (1, 1, 1, 1)
    [after] = world.rows(Installation)
    assert after.install_id == told.install_id != before.install_id
    assert (after.stripe_account, after.stripe_livemode, after.stripe_key_hash) == (None,) * 3
    assert after.paused_at is not None
    asked = len(world.sandbox.ledger())
    report = world.sync()
    assert (report.exit_code, report.synced) == (0, 0)
    assert "paused" in report.notices[0]
    assert len(world.sandbox.ledger()) == asked
    with world.database.read() as session:
        known = session.connection().execute(
            text("SELECT count(*) FROM ai_invoice_items WHERE stripe_item_id IS NOT NULL")
        )
        assert known.scalar_one() == 0


def test_what_was_charged_stays_charged_and_the_rest_goes_to_the_copys_own_customer(
    world: World,
) -> None:
    owing(world, tokens=501_250)  # 10.005
    world.sync()
    world.use(100_000)
    mark_copy(world.database, now=NOW)
    assert world.items[0].carry_out == Decimal("0.005")
    customer = world.customer()
    world.execute("UPDATE ai_billables SET stripe_customer_id = :c", c=customer)
    sync_state.resume(world.database)
    assert world.sync().synced == 1
    theirs = [item["amount"] for item in world.sandbox.items() if item["customer"] == customer]
    assert theirs == [200]  # 2.00 of the new usage, with half a cent carried


@pytest.mark.parametrize("fault", ["lost", "reset", "400"])
def test_what_was_under_way_or_failed_is_sent_from_the_copy_anew(world: World, fault: str) -> None:
    owing(world)
    world.sandbox.add_fault(f"{fault}:path=/v1/invoiceitems,method=POST,nth=1")
    world.sync()
    mark_copy(world.database, now=NOW)
    assert world.statuses() == ["frozen"]
    customer = world.customer()
    world.execute("UPDATE ai_billables SET stripe_customer_id = :c", c=customer)
    sync_state.resume(world.database)
    assert world.sync().synced == 1
    theirs = [item["amount"] for item in world.sandbox.items() if item["customer"] == customer]
    assert theirs == [1000]


def test_a_deleted_item_owes_everything_again_and_a_leaving_one_nothing(world: World) -> None:
    owing(world)
    world.sync()
    [item] = world.sandbox.items()
    world.sandbox.person_delete_item(item["id"])
    world.use(100_000)
    world.sync()
    assert set(world.statuses()) == {"held"}
    mark_copy(world.database, now=NOW)
    assert [(row.final_minor, row.carry_out) for row in world.items] == [(0, Decimal(0))]
    assert set(world.statuses()) == {"frozen"}


def test_a_dry_run_changes_nothing(world: World) -> None:
    owing(world)
    world.sync()
    before = world.rows(Installation)
    assert mark_copy(world.database, now=NOW, dry_run=True).customers == 1
    assert world.rows(Installation) == before
    assert world.items[0].status == "idle"


@pytest.mark.parametrize("arrived", [True, False])
def test_a_carry_is_where_it_was_at_stripe(world: World, *, arrived: bool) -> None:
    owing(world, tokens=501_250)  # 10.005
    world.sync()
    [item] = world.sandbox.items()
    world.sandbox.person_finalize(item["customer"])
    world.now = NOW.replace(month=12)
    world.time_passes(3700)
    world.sync()  # closes it, with half a cent left
    world.use(501_250)  # 10.005, so that 10.01 is to be charged
    if not arrived:
        world.sandbox.add_fault("reset:path=/v1/invoiceitems,method=POST,nth=1")
    world.sync()
    mark_copy(world.database, now=NOW)
    first, second = world.items
    assert (first.carried_to_id == second.id) is arrived
    assert second.carry_out == (Decimal(0) if arrived else 0)
    assert second.final_minor == (1001 if arrived else 0)


def test_what_was_held_on_an_item_because_nobody_paid_counts_as_charged(world: World) -> None:
    owing(world)
    world.sync()
    world.execute(
        "UPDATE ai_subscriptions SET ends_at = :t, cancellation_reason = 'payment_failed'", t=NOW
    )
    world.sync()
    assert world.statuses() == ["held"]
    mark_copy(world.database, now=NOW)
    assert world.statuses() == ["synced"]
    assert run_audit(world.database).adds_up
