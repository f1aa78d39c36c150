"""After a backup took the database's place nothing is charged twice, and nothing is lost."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aimeter_cli.db.engine import Database
from aimeter_cli.models.installation import Installation
from aimeter_cli.sandbox.client import SandboxControl
from aimeter_cli.services.restoring import mark_restored
from aimeter_cli.services.sync.claimed import Accounted, Claim
from aimeter_cli.services.sync.restored import adopt
from tests.support.world import NOW, World, sandbox_settings


@pytest.fixture
def world(database: Database, sandbox: SandboxControl) -> Iterator[World]:
    made = World(database, sandbox, sandbox_settings(sandbox.url))
    yield made
    made.close()


@pytest.fixture
def backup(world: World, tmp_path: Path) -> Backup:
    return Backup(world, tmp_path / "backup.db")


class Backup:
    """A copy of the database's file that can take its place again."""

    def __init__(self, world: World, file: Path) -> None:
        self._world, self._file = world, file

    def make(self) -> None:
        from aimeter_cli.migrations.backup import backup_sqlite

        assert self._world.database.file is not None
        backup_sqlite(self._world.database.file, self._file)

    def restore(self, *, mark: bool = True) -> None:
        file = self._world.database.file
        assert file is not None
        self._world.database.dispose()
        for left in file.parent.glob(f"{file.name}-*"):
            left.unlink()
        shutil.copy(self._file, file)
        if mark:
            mark_restored(self._world.database, now=NOW)


def owing(world: World, tokens: int = 501_000) -> None:
    world.subscriber(plan=world.plan())
    world.use(tokens)


def settle(world: World) -> None:
    """Runs until the quiet time is over and nothing is left."""
    world.sync()
    world.time_passes(60)
    report = world.sync()
    assert (report.exit_code, report.remaining) == (0, 0), report


def test_an_item_made_after_the_backup_is_found_and_not_made_again(
    world: World, backup: Backup
) -> None:
    owing(world)
    backup.make()
    world.sync()
    assert world.charged() == [1000]
    backup.restore()
    settle(world)
    assert (world.charged(), world.statuses()) == ([1000], ["synced"])
    world.use(100_000)
    settle(world)
    assert world.charged() == [1200]


def test_without_the_mark_it_would_be_made_again(world: World, backup: Backup) -> None:
    owing(world)
    backup.make()
    world.sync()
    backup.restore(mark=False)
    world.sync()
    assert world.charged() == [1000, 1000]  # what mark-restored is for


def test_an_item_updated_after_the_backup_is_set_to_what_is_known_here(
    world: World, backup: Backup
) -> None:
    owing(world)
    world.sync()
    backup.make()
    world.use(100_000, idempotency_key="since")
    world.sync()
    world.use(50_000, idempotency_key="since too")
    world.sync()
    assert world.charged() == [1300]
    backup.restore()
    world.use(100_000, idempotency_key="since")
    settle(world)
    assert world.charged() == [1200]
    world.use(50_000, idempotency_key="since too")
    settle(world)
    assert (world.charged(), set(world.statuses())) == ([1300], {"synced"})


def test_an_item_closed_after_the_backup_counts_for_what_it_charged(
    world: World, backup: Backup
) -> None:
    owing(world)
    world.sync()
    backup.make()
    world.use(100_000, idempotency_key="since")
    world.sync()
    [item] = world.sandbox.items()
    world.sandbox.person_finalize(item["customer"])
    world.use(50_000, idempotency_key="since too")
    world.sync()
    assert world.charged() == [100, 1200]
    backup.restore()
    world.use(100_000, idempotency_key="since")
    world.use(50_000, idempotency_key="since too")
    settle(world)
    settle(world)
    assert world.charged() == [100, 1200]
    world.use(50_000)
    settle(world)
    assert world.charged() == [200, 1200]


def test_items_made_and_closed_after_the_backup_are_not_charged_again(
    world: World, backup: Backup
) -> None:
    owing(world)
    backup.make()
    world.sync()
    [item] = world.sandbox.items()
    world.sandbox.person_finalize(item["customer"])
    world.use(100_000, idempotency_key="since")
    world.sync()
    assert world.charged() == [200, 1000]
    backup.restore()
    world.use(100_000, idempotency_key="since")
    settle(world)
    assert world.charged() == [200, 1000]
    assert {row.reason for row in world.items if row.status == "closed"} == {"restored"}


@pytest.mark.parametrize("fault", ["lost", "reset", "500_after", "502"])
def test_a_request_under_way_in_the_backup_is_looked_up(
    world: World, backup: Backup, fault: str
) -> None:
    owing(world)
    world.sandbox.add_fault(f"{fault}:path=/v1/invoiceitems,method=POST,nth=1")
    world.sync()
    backup.make()
    world.time_passes(60)
    world.sync()
    world.sync()
    world.use(100_000, idempotency_key="since")
    world.sync()
    assert world.charged() == [1200]
    backup.restore()
    settle(world)
    assert world.charged() == [1000]
    world.use(100_000, idempotency_key="since")
    settle(world)
    assert (world.charged(), set(world.statuses())) == ([1200], {"synced"})


def test_no_key_of_before_the_restore_is_used_again(world: World, backup: Backup) -> None:
    owing(world)
    world.sync()
    backup.make()
    world.use(100_000, idempotency_key="since")
    world.sync()
    backup.restore()
    world.use(70_000)
    settle(world)
    keys = [e["idempotency_key"] for e in world.sandbox.ledger() if e["method"] == "POST"]
    ours = [key for key in keys if key and key.startswith("aimeter:")]
    assert len(ours) == len(set(ours)) == 4


def test_what_a_person_changed_is_still_held(world: World, backup: Backup) -> None:
    owing(world)
    world.sync()
    backup.make()
    backup.restore()
    [item] = world.sandbox.items()
    world.sandbox.person_change_item(item["id"], 900)
    assert world.sync().items[0].status == "held"


def test_periods_that_begin_after_the_restore_are_not_looked_up(
    world: World, backup: Backup
) -> None:
    owing(world)
    backup.make()
    backup.restore()
    world.now = NOW.replace(month=12)
    world.use(501_000)
    settle(world)
    assert world.charged() == [1000, 1000]
    reads = [e for e in world.sandbox.ledger() if e["path"] == "/v1/invoiceitems"]
    assert sum(entry["method"] == "GET" for entry in reads) == 1  # November's, not December's


def test_a_restore_may_come_twice(world: World, backup: Backup) -> None:
    owing(world)
    backup.make()
    world.sync()
    for _ in range(2):
        backup.restore()
        settle(world)
        world.use(100_000)
        settle(world)
        assert world.charged() == [1200]


def test_the_same_backup_may_be_restored_twice(world: World, backup: Backup) -> None:
    owing(world)
    world.sync()
    backup.make()
    backup.restore()
    first = world.rows(Installation)[0].first_generation
    world.use(100_000, idempotency_key="since")
    settle(world)
    world.use(100_000, idempotency_key="since too")
    settle(world)
    assert world.charged() == [1400]
    time.sleep(1.1)  # a restore in the same second does not happen
    backup.restore()
    assert world.rows(Installation)[0].first_generation > first
    world.use(100_000, idempotency_key="since")
    settle(world)
    assert world.charged() == [1200]
    assert world.items[0].confirmed_minor == 1200


def test_a_customer_deleted_while_items_are_found_gives_the_overages_back(
    world: World, backup: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    owing(world)
    backup.make()
    world.sync()
    [item] = world.sandbox.items()
    world.sandbox.person_finalize(item["customer"])
    backup.restore()
    world.use(100_000, idempotency_key="since")

    def customer_goes(*given: Any) -> Claim | Accounted | None:
        world.execute("UPDATE ai_billables SET stripe_customer_id = NULL")
        return adopt(*given)

    monkeypatch.setattr("aimeter_cli.services.sync.engine.adopt", customer_goes)
    assert world.sync().fault is None
    monkeypatch.undo()
    assert world.sync().blocked[0].reason == "no_customer"
    assert {row.status for row in world.overages} == {"frozen"}
    world.execute(f"UPDATE ai_billables SET stripe_customer_id = '{world.customer()}'")
    settle(world)
    assert world.charged() == [200, 1000]
