"""Every run of a cron job leaves a row, whatever becomes of it; killed ones are never completed."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError
from sqlmodel import select

from aimeter_cli.db.engine import Database
from aimeter_cli.errors import (
    AimeterError,
    ConfigurationError,
    Interrupted,
    InvalidInput,
    NotFound,
)
from aimeter_cli.models.job_runs import JobRun
from aimeter_cli.sandbox.client import SandboxControl
from aimeter_cli.services import installation, jobs
from aimeter_cli.services.sync import run as sync_run
from aimeter_cli.services.sync.job import run_job
from aimeter_cli.services.sync.plan import Options
from aimeter_cli.services.sync.report import Report
from aimeter_cli.settings.table import Settings
from aimeter_cli.signals import StopFlag
from tests.support.world import NOW, World, sandbox_settings

KILLED = """
import os, signal, sys
from aimeter_cli.db.engine import Database
from aimeter_cli.services.jobs import running
with running(Database(sys.argv[1]), "a job"):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def runs(database: Database) -> list[JobRun]:
    with database.read() as session:
        return list(session.exec(select(JobRun)))


def a_run(database: Database, run_id: str, **values: Any) -> None:
    given: dict[str, Any] = {"command": "a job", "host": "here", "started_at": datetime.now(UTC)}
    with database.write() as session:
        session.add(JobRun(id=run_id, **(given | values)))


def test_a_run_is_a_row_from_its_beginning_and_complete_at_its_end(any_database: Database) -> None:
    with jobs.running(any_database, "a job") as job:
        [row] = runs(any_database)
        assert (row.id, row.command, row.finished_at, row.exit_code) == (
            job.run_id, "a job", None, None,
        )  # fmt: skip
        job.counts = {"synced": 2}
    [row] = runs(any_database)
    assert row.finished_at is not None
    assert row.started_at <= row.finished_at <= datetime.now(UTC) + timedelta(seconds=1)
    assert (row.exit_code, json.loads(row.counts or ""), row.error) == (0, {"synced": 2}, None)


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (ConfigurationError("no key"), 4, "no key"),
        (AimeterError("no"), 1, "no"),
        (KeyError("secret"), 70, "KeyError"),
        (OperationalError("SELECT secret", {}, Exception("secret")), 5, "OperationalError"),
        (KeyboardInterrupt(), 130, "KeyboardInterrupt"),
        (Interrupted(15), 143, "interrupted; what was in flight has been settled"),
    ],
)
def test_a_run_that_raises_is_complete_with_its_exit_code(
    error: BaseException, code: int, told: str, database: Database
) -> None:
    with pytest.raises(type(error)), jobs.running(database, "a job"):
        raise error
    [row] = runs(database)
    assert row.finished_at is not None
    assert (row.exit_code, row.error) == (code, told)


def test_a_run_that_was_killed_has_begun_and_never_ended(any_database: Database) -> None:
    url = any_database.url.render_as_string(hide_password=False)
    done = subprocess.run([sys.executable, "-c", KILLED, url], check=False, timeout=60)
    assert done.returncode == -9
    [row] = runs(any_database)
    assert (row.command, row.finished_at, row.exit_code) == ("a job", None, None)


def test_a_dry_run_leaves_no_row_and_has_an_id_all_the_same(database: Database) -> None:
    with jobs.running(database, "a job", dry_run=True) as job:
        pass
    assert (len(job.run_id), runs(database)) == (32, [])


def test_what_came_first_is_raised_where_the_row_cannot_be_completed(database: Database) -> None:
    def lose_the_table() -> None:
        with database.write() as session:
            session.connection().exec_driver_sql("DROP TABLE ai_job_runs")
        raise KeyError

    with pytest.raises(KeyError) as caught, jobs.running(database, "a job"):
        lose_the_table()
    assert caught.value.__notes__ == ["its row was not completed: OperationalError"]


def test_a_run_is_one_line_of_the_log(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "aimeter"), jobs.running(database, "a job") as job:
        job.counts = {"synced": 2}
        job.ended_by(ConfigurationError("no key"))
    [line] = caplog.records
    told = vars(line)
    assert (told["run_id"], told["command"]) == (job.run_id, "a job")
    assert (told["counts"], told["exit_code"], told["error"]) == ({"synced": 2}, 4, "no key")
    assert told["seconds"] >= 0


def test_rows_older_than_400_days_go_when_the_command_runs_again(any_database: Database) -> None:
    now = datetime.now(UTC)
    a_run(any_database, "old", started_at=now - timedelta(days=401))
    a_run(any_database, "kept", started_at=now - timedelta(days=399))
    a_run(any_database, "other", command="another", started_at=now - timedelta(days=401))
    with jobs.running(any_database, "a job") as job:
        assert len(runs(any_database)) == 4
    assert {row.id for row in runs(any_database)} == {"kept", "other", job.run_id}


def test_the_last_run_and_the_last_success_of_each_command_are_found(
    any_database: Database,
) -> None:
    now = datetime.now(UTC)
    for minutes, code in ((50, 0), (40, 3), (30, 4), (20, 70), (10, None)):
        a_run(
            any_database, f"{minutes}", exit_code=code, started_at=now - timedelta(minutes=minutes)
        )
    a_run(any_database, "z", command="z", exit_code=0)
    with any_database.read() as session:
        assert list(jobs.commands(session)) == ["a job", "z"]
        last = jobs.last_run(session, "a job")
        success = jobs.last_run(session, "a job", succeeded=True)
        assert last is not None
        assert success is not None
        assert (last.id, success.id) == ("10", "40")
        assert jobs.last_run(session, "never") is None


def test_a_run_is_found_by_its_id_or_by_how_it_begins(any_database: Database) -> None:
    a_run(any_database, "abcdef" + "0" * 26)
    a_run(any_database, "abcdee" + "1" * 26)
    a_run(any_database, "abcdee" + "2" * 26)
    with any_database.read() as session:
        for text in ("abcdef", "ABCDEF00", "abcdef" + "0" * 26):
            assert jobs.find_run(session, text) == "abcdef" + "0" * 26
        with pytest.raises(InvalidInput, match="several runs begin with 'abcdee'"):
            jobs.find_run(session, "abcdee")
        for text in ("abcde9", "abcdeg", "abcdef%", "abcdef" + "0" * 27):
            with pytest.raises(NotFound, match="there is no run"):
                jobs.find_run(session, text)
        with pytest.raises(InvalidInput, match="at least 6 characters"):
            jobs.find_run(session, "abcde")


@pytest.fixture
def world(database: Database, sandbox: SandboxControl) -> Iterator[World]:
    made = World(database, sandbox, sandbox_settings(sandbox.url))
    yield made
    made.close()


class Assembly:
    """The composition root of a world."""

    def __init__(self, world: World) -> None:
        self.database, self.settings, self.driver = world.database, world.settings, world.driver

    def now(self) -> datetime:
        return NOW


def sync(world: World, *, stop: StopFlag | None = None, **options: Any) -> Report:
    return run_job(
        Assembly(world), Options(**options), stop=stop or StopFlag(), advance=lambda _d, _p: None
    )


def test_a_sync_has_the_id_of_its_row_and_so_have_its_overages(world: World) -> None:
    world.subscriber(plan=world.plan())
    world.use(501_000)
    report = sync(world)
    [row] = runs(world.database)
    assert (row.id, row.command, row.exit_code) == (report.run_id, jobs.SYNC, 0)
    assert json.loads(row.counts or "") == report.counts
    assert [overage.run_id for overage in world.overages] == [report.run_id]
    assert {attempt.run_id for attempt in world.attempts} == {report.run_id}


def test_an_idle_sync_and_a_paused_one_leave_a_row_and_a_rehearsed_one_does_not(
    world: World,
) -> None:
    sync(world, dry_run=True)
    assert runs(world.database) == []
    sync(world)
    installation.pause(world.database, "incident", now=NOW)
    sync(world)
    assert [(row.exit_code, row.error) for row in runs(world.database)] == [
        (0, None), (0, "paused"),
    ]  # fmt: skip


def test_a_sync_that_is_refused_before_it_begins_leaves_its_row(world: World) -> None:
    world.settings = Settings()
    world.driver.close()
    World.__post_init__(world)
    with pytest.raises(ConfigurationError):
        sync(world)
    [row] = runs(world.database)
    assert (row.exit_code, row.error) == (
        4, "the billing driver is null: there is nowhere to send overages",
    )  # fmt: skip
    assert row.finished_at is not None


def test_the_row_of_a_sync_says_how_the_command_will_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.subscriber(plan=world.plan(), customer="cus_nobody")
    world.use(501_000)
    sync(world)
    stopped = StopFlag()
    stopped.stop(15)
    sync(world, stop=stopped)
    world.subscriber("user:43", plan=1)
    world.use(501_000, "user:43")

    def broken(*_args: object) -> None:
        raise KeyError("secret")

    monkeypatch.setattr(sync_run, "claim_fresh", broken)
    sync(world)
    told = {row.exit_code: row.error for row in runs(world.database)}
    assert told == {
        3: None, 143: "interrupted; what was in flight has been settled", 70: "KeyError",
    }  # fmt: skip


def test_a_sync_that_stripe_refuses_ends_with_4_and_says_why(world: World) -> None:
    world.subscriber(plan=world.plan())
    world.use(501_000)
    world.driver.close()
    world.settings = sandbox_settings(world.sandbox.url, stripe_api_key="sk_test_forbidden")
    World.__post_init__(world)
    report = sync(world)
    [row] = runs(world.database)
    assert (row.exit_code, row.error) == (4, report.error and report.error.message)


def test_a_sync_of_one_billable_is_a_job_of_its_own(world: World) -> None:
    """Run by hand, it must not hide that cron's have stopped."""
    sync(world, billable_id=world.subscriber(plan=world.plan()))
    assert [row.command for row in runs(world.database)] == ["sync-stripe-overages --billable"]
