"""A run can be undone: what it charged is waived, what it held is released, as far as that goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest
from sqlmodel import Session

from aimeter_cli.errors import InvalidInput, NotFound
from aimeter_cli.repositories.overages import OverageView
from aimeter_cli.services.overages import by_hand, by_run, listing
from tests.conftest import Cli, Result
from tests.support.world import NOW, World

ITEM = "ii_1PgafuLkdIwHu7ix"


def owing(world: World, *refs: str) -> None:
    """10.00 each, of billables that are new."""
    plan = world.overages[0].subscription_id if world.overages else world.plan()
    for ref in refs:
        world.subscriber(ref, plan=plan)
        world.use(501_000, ref)


def waive(world: World, run: str, **options: bool) -> by_run.Undone:
    return by_run.waive_run(world.database, run, reason="wrong price", now=NOW, **options)


def ids(rows: list[OverageView]) -> list[int]:
    return [row.id for row in rows]


def test_the_overages_of_a_run_are_listed_by_its_id_or_its_beginning(any_world: World) -> None:
    owing(any_world, "user:1", "user:2")
    first = any_world.sync()
    any_world.use(100_000, "user:1")
    second = any_world.sync()
    for run, expected in ((first.run_id, [2, 1]), (first.run_id[:8], [2, 1]), (second.run_id, [3])):
        found = listing.list_overages(any_world.database, run=run)
        assert (ids(found.rows), {row.run_id for row in found.rows}) == (
            expected, {first.run_id if 1 in expected else second.run_id},
        )  # fmt: skip
    both = listing.list_overages(any_world.database, run=first.run_id, billable="user:2")
    assert ids(both.rows) == [2]
    assert both.summary == ["1 overage(s), 10.00 USD in all"]
    with pytest.raises(NotFound, match="there is no run 0123456789"):
        listing.list_overages(any_world.database, run="0123456789")


def test_waiving_a_run_lowers_its_pending_items_and_leaves_other_runs_alone(
    any_world: World,
) -> None:
    owing(any_world, "user:1", "user:2")
    any_world.sync()
    any_world.use(100_000, "user:1")
    any_world.use(200_000, "user:2")
    second = any_world.sync()
    assert any_world.charged() == [1200, 1400]
    undone = waive(any_world, second.run_id)
    assert (ids(undone.changed), undone.refused) == ([3, 4], [])
    assert {row.reason for row in undone.changed} == {"wrong price"}
    assert any_world.sync().exit_code == 0
    assert any_world.charged() == [1000, 1000]
    assert any_world.statuses() == ["synced", "synced", "waived", "waived"]


def test_what_is_waived_already_is_skipped(world: World) -> None:
    owing(world, "user:1", "user:2")
    run = world.sync().run_id
    by_hand.waive(world.database, [1], reason="goodwill", now=NOW)
    assert ids(waive(world, run).changed) == [2]
    assert waive(world, run) == by_run.Undone([], [])
    assert [overage.reason for overage in world.overages] == ["goodwill", "wrong price"]


def test_what_is_invoiced_in_flight_or_charged_by_hand_is_refused_and_the_rest_waived(
    any_world: World,
) -> None:
    owing(any_world, "user:1", "user:2", "user:3", "user:4")
    run = any_world.sync().run_id
    numbers = {overage.billable_id: overage.id for overage in any_world.overages}
    items = {item.billable_id: item for item in any_world.items}
    any_world.sandbox.person_finalize(str(items[1].stripe_customer_id))
    any_world.use(50_000, "user:1")
    any_world.sync()  # finds that the invoice is finalised
    any_world.use(50_000, "user:2")
    any_world.sandbox.add_fault("lost:path=/v1/invoiceitems/*,method=POST,nth=1")
    any_world.sync()
    any_world.execute(
        "UPDATE ai_overages SET external_item_id = :item, item_id = NULL WHERE id = :id",
        item=ITEM, id=numbers[3],
    )  # fmt: skip
    undone = waive(any_world, run)
    assert ids(undone.changed) == [numbers[4]]
    where = f"on a finalised invoice ({items[1].stripe_item_id})"
    assert [str(error) for error in undone.refused] == [
        f"overage {numbers[1]} is {where}, so that it cannot be waived",
        f"overage {numbers[2]} is being sent, so that it cannot be waived",
        f"overage {numbers[3]} was charged by hand ({ITEM})",
    ]
    assert all(error.hint for error in undone.refused)


def test_what_another_run_takes_meanwhile_is_left_to_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    owing(world, "user:1", "user:2")
    run = world.sync().run_id

    def lock_late(session: Session, chosen: Sequence[int]) -> None:
        session.connection().exec_driver_sql(
            "UPDATE ai_overages SET run_id = 'another' WHERE id = 2"
        )
        by_hand.lock(session, chosen)

    monkeypatch.setattr(by_run, "lock", lock_late)
    assert ids(waive(world, run).changed) == [1]
    assert world.statuses() == ["waived", "synced"]


def test_a_rehearsed_undoing_changes_nothing(world: World) -> None:
    owing(world, "user:1")
    run = world.sync().run_id
    undone = waive(world, run, dry_run=True)
    assert [row.status for row in undone.changed] == ["waived"]
    assert world.statuses() == ["synced"]


def test_a_run_is_not_waived_without_a_reason(world: World) -> None:
    owing(world, "user:1")
    run = world.sync().run_id
    with pytest.raises(InvalidInput, match="--reason"):
        by_run.waive_run(world.database, run, reason=" ", now=NOW)


def test_several_overages_of_one_failed_item_are_waived_together(world: World) -> None:
    owing(world, "user:1")
    world.execute("UPDATE ai_overages SET status = 'frozen'")
    world.use(100_000, "user:1")
    world.execute("UPDATE ai_billables SET stripe_customer_id = 'cus_nobody'")
    world.sync()
    assert world.statuses() == ["failed", "failed"]
    by_hand.waive(world.database, [1, 2], reason="goodwill", now=NOW)
    assert world.statuses() == ["waived", "waived"]


def test_releasing_a_run_charges_what_its_guards_held(any_world: World) -> None:
    any_world.settings = replace(any_world.settings, max_amount_per_customer=Decimal(5))
    owing(any_world, "user:1", "user:2")
    held = any_world.sync().run_id
    assert any_world.statuses() == ["held", "held"]
    assert ids(by_run.release_run(any_world.database, held, now=NOW)) == [1, 2]
    assert [row.released_at for row in any_world.overages] == [NOW, NOW]
    any_world.sync()
    assert (any_world.charged(), any_world.statuses()) == ([1000, 1000], ["synced"] * 2)


def test_releasing_a_run_releases_the_items_that_a_person_changed(any_world: World) -> None:
    owing(any_world, "user:1", "user:2")
    any_world.sync()
    changed = any_world.items[0]
    any_world.sandbox.person_change_item(str(changed.stripe_item_id), 1)
    any_world.use(100_000, "user:1")
    any_world.use(100_000, "user:2")
    run = any_world.sync().run_id
    assert any_world.statuses().count("held") == 1
    released = by_run.release_run(any_world.database, run, now=NOW)
    assert [row.status for row in released] == ["frozen"]
    any_world.sync()
    assert any_world.charged() == [1200, 1200]


@pytest.fixture
def command(world: World, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command on the world's database and sandbox."""
    monkeypatch.setenv("AI_METERING_BILLING_DRIVER", "stripe")
    monkeypatch.setenv("STRIPE_API_KEY", "sk_test_world")
    monkeypatch.setenv("STRIPE_API_BASE", world.sandbox.url)

    def run(*args: object, at: datetime = NOW, **options: bool) -> Result:
        return cli(*args, "--as-of", at.isoformat(), **options)

    return run


def test_an_item_held_since_is_released_once_with_all_that_a_run_put_on_it(world: World) -> None:
    owing(world, "user:1")
    world.execute("UPDATE ai_overages SET status = 'frozen'")
    world.use(100_000, "user:1")
    run = world.sync().run_id
    world.sandbox.person_change_item(str(world.items[0].stripe_item_id), 1)
    world.use(100_000, "user:1")
    world.sync()
    assert world.statuses() == ["synced", "synced", "held"]
    assert ids(by_run.release_run(world.database, run, now=NOW)) == [1, 2]
    world.sync()
    assert world.charged() == [1400]


def test_a_run_is_waived_from_the_command_line(
    world: World, command: Callable[..., Result]
) -> None:
    owing(world, "user:1", "user:2")
    run = command("sync-stripe-overages", "--format", "json").json["run_id"]
    [last] = command("status", "--format", "json").json["jobs"]
    assert last["run_id"] == run
    shown = command("overages", "list", "--run", run[:6], "--format", "json").json
    assert [(row["id"], row["run_id"]) for row in shown] == [(2, run), (1, run)]
    waiver = ("overages", "waive", "--run", run, "--reason", "wrong price")
    asked = command(*waiver)
    assert (asked.code, asked.out) == (2, "")
    assert f"Waive 2 overage(s), 20.00 USD in all, of run {run}?" in asked.err
    rehearsed = command(*waiver, "--dry-run", "--format", "json")
    assert [row["status"] for row in rehearsed.json] == ["waived", "waived"]
    assert "dry run" in rehearsed.err
    [first] = [item for item in world.items if item.billable_id == 1]
    world.sandbox.person_finalize(str(first.stripe_customer_id))
    world.use(50_000, "user:1")
    command("sync-stripe-overages")
    done = command(*waiver, "--yes", "--format", "json")
    assert (done.code, [row["id"] for row in done.json]) == (3, [2])
    assert "so that it cannot be waived: Issue a credit note at Stripe." in done.err
    assert "error: 1 overage(s) of this run cannot be waived" in done.err


def test_a_held_run_is_released_from_the_command_line(
    world: World, command: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AI_METERING_MAX_AMOUNT_PER_CUSTOMER", "5")
    owing(world, "user:1")
    run = command("sync-stripe-overages", "--format", "json").json["run_id"]
    assert (
        "Charge 1 overage(s), 10.00 USD in all, of run"
        in command("overages", "release", "--run", run).err
    )
    done = command("overages", "release", "--run", run, "--yes", "--format", "json")
    assert (done.code, done.json[0]["status"]) == (0, "frozen")
    again = command("overages", "release", "--run", run, "--yes")
    assert (again.code, again.out, again.err) == (0, "", "Nothing was released.\n")


@pytest.mark.parametrize("verb", [("waive", "--reason", "r"), ("release",)])
@pytest.mark.parametrize("which", [(), ("17", "--run", "abcdef")])
def test_ids_and_a_run_exclude_each_other(
    verb: tuple[str, ...], which: tuple[str, ...], cli: Cli
) -> None:
    done = cli("overages", *verb, *which, "--yes")
    assert (done.code, done.out) == (2, "")
    assert "expected either ID… or --run RUN_ID" in done.err


def test_an_unknown_run_is_not_found(cli: Cli) -> None:
    for words in (("list",), ("waive", "--reason", "r", "--yes"), ("release", "--yes")):
        done = cli("overages", *words, "--run", "abcdef")
        assert (done.code, done.out) == (1, "")
        assert "there is no run abcdef" in done.err
        assert "hint: aimeter status" in done.err
