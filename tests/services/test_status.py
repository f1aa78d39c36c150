"""The status: whether the jobs run, and what is not on an invoice yet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import event

from aimeter_cli.db.engine import Database
from aimeter_cli.models.job_runs import JobRun
from aimeter_cli.sandbox.client import SandboxControl
from aimeter_cli.services import installation, jobs
from aimeter_cli.services.status import Status, status
from aimeter_cli.settings.table import Settings
from tests.support.world import NOW, World, sandbox_settings

HALF_AN_HOUR = timedelta(minutes=30)


@pytest.fixture
def any_world(any_database: Database, sandbox: SandboxControl) -> Iterator[World]:
    made = World(any_database, sandbox, sandbox_settings(sandbox.url))
    yield made
    made.close()


def ran(
    database: Database,
    minutes: float,
    code: int | None = 0,
    command: str = jobs.SYNC,
    run_id: str | None = None,
) -> None:
    """A run that took a second, so many minutes ago."""
    began = datetime.now(UTC) - timedelta(minutes=minutes)
    with database.write() as session:
        session.add(
            JobRun(
                id=run_id or f"{command}-{minutes}", command=command, host="here",
                started_at=began, exit_code=code, counts='{"synced": 2}',
                finished_at=began + timedelta(seconds=1) if code is not None else None,
            )
        )  # fmt: skip


def seen(database: Database, max_age: timedelta | None = HALF_AN_HOUR) -> Status:
    return status(database, Settings(), now=NOW, max_age=max_age)


@pytest.mark.parametrize(
    ("history", "overdue"),
    [
        ([], True),
        ([(29, 0)], False),
        ([(31, 0)], True),
        ([(29, 3)], False),
        ([(29, 4)], True),
        ([(29, 5)], True),
        ([(29, 70)], True),
        ([(29, 143)], True),
        ([(29, None)], True),
        ([(29, 0), (1, 4)], False),
        ([(29, 0), (1, None)], False),
        ([(40, 0), (1, 70)], True),
    ],
)
def test_the_sync_is_overdue_without_a_success_within_the_age(
    history: list[tuple[float, int | None]], overdue: bool, database: Database
) -> None:
    for minutes, code in history:
        ran(database, minutes, code)
    found = seen(database)
    assert (found.jobs[0].is_overdue, found.is_ok) == (overdue, not overdue)
    assert seen(database, None).jobs[0].is_overdue is None


def test_another_job_and_a_run_for_one_billable_do_not_stand_in_for_the_sync(
    database: Database,
) -> None:
    ran(database, 1, command="subscriptions expire")
    ran(database, 1, command=f"{jobs.SYNC} --billable")
    found = seen(database)
    assert found.problems == ["sync-stripe-overages has never succeeded"]
    assert [job.command for job in found.jobs] == [
        "sync-stripe-overages", "subscriptions expire", "sync-stripe-overages --billable",
    ]  # fmt: skip
    assert [job.is_overdue for job in found.jobs] == [True, None, None]


def test_the_last_run_of_each_job_is_shown_with_its_last_success(any_database: Database) -> None:
    ran(any_database, 40, run_id="a")
    ran(any_database, 20, 4, run_id="b")
    ran(any_database, 5, None, run_id="c")
    [job] = seen(any_database, timedelta(hours=1)).jobs
    assert (job.run_id, job.host, job.finished_at, job.exit_code) == ("c", "here", None, None)
    assert (job.counts, job.is_overdue) == ({"synced": 2}, False)
    assert job.last_success_at is not None
    age = (datetime.now(UTC) - job.last_success_at).total_seconds()
    assert job.age_seconds == pytest.approx(age, abs=2)


def test_a_paused_sync_is_not_ok_however_fresh_it_is(database: Database) -> None:
    ran(database, 1)
    assert seen(database).is_ok
    installation.pause(database, "Stripe incident", now=NOW)
    found = seen(database)
    assert (found.is_paused, found.paused_reason, found.paused_at) == (
        True, "Stripe incident", NOW,
    )  # fmt: skip
    assert found.problems == ["sync is paused: Stripe incident; aimeter sync resume ends it"]


def test_what_is_unsynced_is_told_by_currency_with_the_oldest(any_world: World) -> None:
    dollars, euros = any_world.plan(), any_world.plan("eu", currency="eur")
    for number in (1, 2):
        any_world.subscriber(f"user:{number}", plan=dollars)
    any_world.subscriber("user:3", plan=euros, currency="eur")
    any_world.use(501_000, "user:1")
    any_world.use(501_000, "user:3")
    any_world.now += timedelta(hours=1)
    any_world.use(251_000, "user:2")
    any_world.execute("UPDATE ai_overages SET status = 'frozen' WHERE billable_id = 2")
    rows = [(u.currency, u.count, u.amount, u.oldest_at) for u in seen(any_world.database).unsynced]
    assert rows == [("eur", 1, Decimal(10), NOW), ("usd", 2, Decimal(15), NOW)]
    any_world.sync()
    assert seen(any_world.database).unsynced == []


def test_overages_that_wait_for_a_person_or_a_retry_are_counted(any_world: World) -> None:
    any_world.settings = replace(any_world.settings, max_amount_per_customer=Decimal(50))
    plan = any_world.plan()
    any_world.subscriber("user:1", plan=plan, customer="cus_nobody")
    any_world.subscriber("user:2", plan=plan, customer=None)
    any_world.subscriber("user:3", plan=plan)
    any_world.use(5_001_000, "user:3")  # 100.00, which is too much
    any_world.use(501_000, "user:1")
    any_world.use(501_000, "user:2")
    any_world.sync()
    any_world.subscriber("user:4", plan=plan)
    any_world.use(501_000, "user:4")
    any_world.sandbox.add_fault("lost:path=/v1/invoiceitems,method=POST,nth=1")
    any_world.sync()
    found = seen(any_world.database)
    assert (found.failed, found.held, found.unknown, found.blocked) == (1, 1, 1, 3)
    assert {each.reason for each in found.blocked_reasons} == {"failed", "held", "no_customer"}
    [waiting] = [item for item in any_world.items if item.status == "unknown"]
    assert (found.backing_off, found.next_retry_at) == (1, waiting.not_before)
    [attempt] = [each for each in any_world.attempts if each.item_id == waiting.id]
    assert found.unanswered_since == attempt.first_sent_at
    assert [(u.count, u.amount) for u in found.unsynced] == [(4, Decimal(130))]


def test_the_next_retry_may_be_that_of_a_final_invoice(any_world: World) -> None:
    any_world.subscriber(plan=any_world.plan())
    any_world.execute(
        "INSERT INTO ai_final_invoices (id, uid, billable_id, subscription_id, currency, status,"
        " phase, step, stripe_customer_id, generation, attempts, not_before, created_at,"
        " updated_at) VALUES (1, 'u', 1, 1, 'usd', 'unknown', 'finalize', 'send', 'cus_1', 0, 1,"
        " '2026-11-15 13:00:00.000000', '2026-11-15', '2026-11-15')"
    )
    found = seen(any_world.database)
    retry = found.next_retry_at
    assert (found.backing_off, found.unanswered_since) == (1, None)
    assert retry is not None
    assert retry.replace(tzinfo=None) == datetime(2026, 11, 15, 13)  # noqa: DTZ001


def test_a_stripe_that_owes_an_answer_for_longer_than_the_age_is_not_ok(
    any_world: World,
) -> None:
    """The runs meanwhile have nothing due, and succeed: they must not hide it."""
    any_world.subscriber(plan=any_world.plan())
    any_world.use(501_000)
    any_world.sandbox.add_fault("lost:path=/v1/invoiceitems,method=POST")
    any_world.sync()
    ran(any_world.database, 1)
    assert seen(any_world.database).is_ok
    any_world.execute(
        "UPDATE ai_sync_attempts SET first_sent_at = :at",
        at=datetime.now(UTC).replace(tzinfo=None) - timedelta(minutes=31),
    )
    [problem] = seen(any_world.database).problems
    assert problem.startswith("Stripe has given no clear answer to a request for 0:31:0")
    assert seen(any_world.database, timedelta(hours=1)).is_ok
    assert seen(any_world.database, None).is_ok
    any_world.sandbox.clear_faults()
    any_world.sync()
    found = seen(any_world.database)
    assert (found.is_ok, found.unanswered_since, found.backing_off) == (True, None, 0)


def test_stranded_overages_are_counted(any_world: World) -> None:
    any_world.subscriber(plan=any_world.plan())
    any_world.use(501_000)
    any_world.sync()
    any_world.use(100_000)
    any_world.sync()
    assert seen(any_world.database).stranded == 0
    later = status(any_world.database, any_world.settings, now=NOW + timedelta(days=60))
    assert (later.stranded, later.is_ok) == (2, True)


def test_an_empty_database_has_a_status(any_database: Database) -> None:
    found = seen(any_database, None)
    assert (found.is_ok, found.problems, found.unsynced, found.next_retry_at) == (
        True, [], [], None,
    )  # fmt: skip


def plans(database: Database) -> list[str]:
    """How SQLite goes through the tables for a status."""
    statements: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        statements.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", note)
    seen(database)
    event.remove(database.engine, "before_cursor_execute", note)
    steps = []
    with database.read() as session:
        for statement, parameters in statements:
            if statement.startswith("SELECT"):
                explained = session.connection().exec_driver_sql(
                    f"EXPLAIN QUERY PLAN {statement}", parameters
                )
                steps += [str(row[3]) for row in explained]
    return steps


def test_the_status_reads_only_what_is_unsettled_of_a_long_history(database: Database) -> None:
    """Overages are found by a partial index, or from an invoice item that is pending."""
    steps = [step for step in plans(database) if " ai_overages" in step]
    used = {step.partition(" USING INDEX ")[2].split(" ")[0] for step in steps}
    assert "ix_overage_unsynced" in used
    assert used <= {
        "ix_overage_unsynced", "ix_overage_unsent", "ix_overage_item", "ix_overage_billable",
    }  # fmt: skip
