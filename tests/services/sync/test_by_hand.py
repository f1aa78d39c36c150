"""What an operator does with overages: mark, waive, retry; and what the next sync makes of it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from aimeter_cli.errors import Conflict, InvalidInput, NotFound
from aimeter_cli.services.overages import by_hand, listing
from tests.support.world import NOW, World

ITEM = "ii_1PgafuLkdIwHu7ix"


def owing(world: World, *refs: str) -> None:
    plan = world.plan()
    for ref in refs or ("user:42",):
        world.subscriber(ref, plan=plan)
        world.use(501_000, ref)


def test_a_waived_overage_is_never_sent(any_world: World) -> None:
    owing(any_world)
    [waived] = by_hand.waive(any_world.database, [1], reason="goodwill", now=NOW)
    assert (waived.status, waived.reason) == ("waived", "goodwill")
    report = any_world.sync()
    assert (report.selected, report.remaining, any_world.charged()) == (0, 0, [])


def test_waiving_a_synced_overage_lowers_the_pending_item(any_world: World) -> None:
    owing(any_world)
    any_world.sync()
    any_world.use(100_000)
    any_world.sync()
    assert any_world.charged() == [1200]
    second = max(overage.id for overage in any_world.overages)
    by_hand.waive(any_world.database, [second], reason="goodwill", now=NOW)
    assert any_world.sync().exit_code == 0
    assert any_world.charged() == [1000]
    assert any_world.statuses() == ["synced", "waived"]
    assert any_world.sync().items == []


def test_waiving_everything_sets_the_pending_item_to_zero(world: World) -> None:
    owing(world)
    world.sync()
    by_hand.waive(world.database, [1], reason="goodwill", now=NOW)
    world.sync()
    assert world.charged() == [0]


def test_what_is_on_a_finalised_invoice_cannot_be_waived(world: World) -> None:
    owing(world)
    world.sync()
    world.sandbox.person_finalize(world.sandbox.items()[0]["customer"])
    world.use(100_000)
    world.sync()
    with pytest.raises(Conflict, match="on a finalised invoice") as caught:
        by_hand.waive(world.database, [1], reason="goodwill", now=NOW)
    assert caught.value.hint == "Issue a credit note at Stripe."


def test_what_is_being_sent_cannot_be_waived_or_marked(world: World) -> None:
    owing(world)
    world.sandbox.add_fault("lost:path=/v1/invoiceitems,method=POST,nth=1")
    world.sync()
    with pytest.raises(Conflict, match="is being sent"):
        by_hand.waive(world.database, [1], reason="goodwill", now=NOW)
    with pytest.raises(Conflict, match="is being sent"):
        by_hand.mark_synced(world.database, 1, ITEM, now=NOW)
    assert world.statuses() == ["unknown"]


def test_waiving_is_all_or_nothing(world: World) -> None:
    owing(world, "user:1", "user:2")
    with pytest.raises(NotFound, match="no overage 99"):
        by_hand.waive(world.database, [1, 2, 99], reason="goodwill", now=NOW)
    with pytest.raises(InvalidInput, match="--reason"):
        by_hand.waive(world.database, [1], reason=" ", now=NOW)
    assert world.statuses() == ["open", "open"]


def test_an_overage_charged_by_hand_is_recorded_as_external(any_world: World) -> None:
    owing(any_world)
    done = by_hand.mark_synced(any_world.database, 1, ITEM, now=NOW)
    assert (done.status, done.is_synced, done.is_external) == ("synced", True, True)
    assert (done.stripe_invoice_item_id, done.synced_at) == (ITEM, NOW)
    assert (any_world.sync().selected, any_world.charged()) == (0, [])
    with pytest.raises(Conflict, match="is synced already"):
        by_hand.mark_synced(any_world.database, 1, ITEM, now=NOW)


def test_marking_marks_only_that_overage(world: World) -> None:
    """Pitfall 9: older, unbilled debt stays unsynced."""
    owing(world, "user:1", "user:2")
    by_hand.mark_synced(world.database, 2, ITEM, now=NOW)
    assert world.statuses() == ["open", "synced"]


def test_our_own_item_cannot_be_named_as_external(world: World) -> None:
    owing(world, "user:1", "user:2")
    world.sync(limit=1)
    ours = world.sandbox.items()[0]["id"]
    with pytest.raises(Conflict, match="that aimeter made"):
        by_hand.mark_synced(world.database, 2, ours, now=NOW)


@pytest.mark.parametrize("name", ["in_123456", "ii-1", "", "ii_", "ii_a b"])
def test_an_item_of_another_shape_is_refused(world: World, name: str) -> None:
    owing(world)
    with pytest.raises(InvalidInput, match="not a Stripe id of the expected shape ii_"):
        by_hand.mark_synced(world.database, 1, name, now=NOW)


def test_a_failed_overage_that_was_charged_by_hand_leaves_its_item(world: World) -> None:
    world.subscriber(plan=world.plan(), customer="cus_nobody")
    world.use(501_000)
    world.sync()
    assert world.statuses() == ["failed"]
    by_hand.mark_synced(world.database, 1, ITEM, now=NOW)
    report = world.sync()
    assert (report.exit_code, report.remaining, world.charged()) == (0, 0, [])
    assert [(item.status, item.is_dirty) for item in world.items] == [("idle", False)]


def test_part_of_a_failed_item_can_be_waived_and_the_rest_is_sent(world: World) -> None:
    billable = world.subscriber(plan=world.plan())
    world.use(501_000)
    world.sync()
    world.use(100_000)
    world.sandbox.add_fault("400:path=/v1/invoiceitems/*,method=POST,nth=1,stored=no")
    assert world.sync().failed == 1
    by_hand.waive(world.database, [2], reason="goodwill", now=NOW)
    world.use(50_000)
    for _ in range(2):
        assert world.sync().exit_code == 0
    assert world.charged() == [1100]
    assert [(o.status, o.amount) for o in world.overages if o.billable_id == billable] == [
        ("synced", Decimal(10)),
        ("waived", Decimal(2)),
        ("synced", Decimal(1)),
    ]


def test_only_failed_and_unknown_overages_are_retried(world: World) -> None:
    owing(world)
    with pytest.raises(Conflict, match="overage 1 is open: only failed and unknown"):
        by_hand.retry(world.database, [1], now=NOW)
    assert by_hand.retry(world.database, None, now=NOW) == []


def test_a_dry_run_shows_the_change_and_makes_none(world: World) -> None:
    owing(world)
    [shown] = by_hand.waive(world.database, [1], reason="goodwill", now=NOW, dry_run=True)
    assert (shown.status, world.statuses()) == ("waived", ["open"])


def test_overages_are_listed_by_status_billable_and_month(world: World) -> None:
    owing(world, "user:1", "user:2", "user:3")
    world.sync(limit=1)
    by_hand.waive(world.database, [2], reason="goodwill", now=NOW)

    def ids(**filters: object) -> list[int]:
        found = listing.list_overages(world.database, **filters)  # type: ignore[arg-type]
        return [row.id for row in found.rows]

    unsynced = listing.statuses_of(unsynced=True, synced=False, failed=False, status=())
    assert ids() == [3, 2, 1]
    assert ids(limit=2) == [3, 2]
    assert ids(statuses=unsynced) == [3]
    assert ids(statuses=("synced", "waived")) == [2, 1]
    assert ids(billable="user:2") == [2]
    assert ids(period=listing.month_or_time("2026-11", "UTC")) == [3, 2, 1]
    assert ids(period=listing.month_or_time("2026-10", "UTC")) == []
    totals = listing.list_overages(world.database, limit=1).summary
    assert totals == ["3 overage(s), 30.00 USD in all"]
    with pytest.raises(InvalidInput, match="'lost' is none of open"):
        ids(statuses=("lost",))
