"""``aimeter status`` for people, for programs and for monitors."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aimeter_cli.db.engine import Database
from aimeter_cli.models.job_runs import JobRun
from aimeter_cli.sandbox.client import SandboxControl
from tests.cli.test_help import loaded_modules
from tests.cli.test_main_job import owe
from tests.conftest import Cli

SHOWN = """\
OK             no
Problems       sync is paused: incident; aimeter sync resume ends it
Paused         yes
Paused since   2026-11-15T12:00:00Z
Paused reason  incident
Failed         0
Held           0
Unknown        0
Blocked        1
Stranded       0
Backing off    0
Next retry     -
Unanswered     -
Webhooks due   0

Command               Run     Host    Started               Finished                Exit  \
Last success          Overdue    Error
sync-stripe-overages  abcdef  here    2026-11-15T11:50:00Z  2026-11-15T11:50:00Z       3  \
2026-11-15T11:50:00Z  -          -

  Unsynced     Amount  Oldest
         1  10.00 USD  2026-11-15T12:00:00Z

Reason         Count  Billables    First IDs    Detail    Hint
no_customer        1  user:42      1            -         \
aimeter subscriptions set-stripe-ids user:42 --customer cus_…
"""
FIELDS = [
    "is_ok", "problems", "is_paused", "paused_at", "paused_reason", "failed", "held", "unknown",
    "blocked", "stranded", "backing_off", "next_retry_at", "unanswered_since", "webhooks_due",
    "jobs", "unsynced", "blocked_reasons",
]  # fmt: skip
JOB_FIELDS = [
    "command", "run_id", "host", "started_at", "finished_at", "exit_code", "last_success_at",
    "age_seconds", "is_overdue", "error", "counts",
]  # fmt: skip
NOW = ("--as-of", "2026-11-15T12:00:00Z")


def ran(folder: Path, at: datetime, code: int = 0) -> None:
    database = Database(f"sqlite:///{folder / 'aimeter.db'}")
    with database.write() as session:
        session.add(
            JobRun(
                id="abcdef", command="sync-stripe-overages", host="here", started_at=at,
                finished_at=at, exit_code=code, counts='{"synced": 2}',
            )
        )  # fmt: skip
    database.dispose()


def test_people_see_what_is_wrong_first_and_then_jobs_and_what_is_unsynced(
    cli: Cli, isolated: Path
) -> None:
    owe(cli)
    ran(isolated, datetime(2026, 11, 15, 11, 50, tzinfo=UTC), 3)
    cli("sync", "pause", "--reason", "incident", *NOW)
    shown = cli("status", *NOW)
    assert (shown.code, shown.err) == (0, "")
    assert shown.out == SHOWN


def test_programs_get_one_document(cli: Cli, isolated: Path) -> None:
    owe(cli)
    ran(isolated, datetime.now(UTC) - timedelta(minutes=10))
    document = cli("status", "--max-age", "30m", "--format", "json", *NOW).json
    assert list(document) == FIELDS
    [job] = document["jobs"]
    assert list(job) == JOB_FIELDS
    assert (job["counts"], job["is_overdue"]) == ({"synced": 2}, False)
    assert 600 <= job["age_seconds"] < 700
    assert document["unsynced"] == [
        {"currency": "usd", "count": 1, "amount": "10.000000000",
         "oldest_at": "2026-11-15T12:00:00Z"}
    ]  # fmt: skip
    assert document["blocked_reasons"][0]["reason"] == "no_customer"


@pytest.mark.parametrize(
    ("age", "code"), [("5m", 1), ("590s", 1), ("15m", 0), ("1h", 0), ("1d", 0)]
)
def test_a_monitor_learns_by_exit_1_that_the_sync_is_silent(
    age: str, code: int, cli: Cli, isolated: Path
) -> None:
    ran(isolated, datetime.now(UTC) - timedelta(minutes=10))
    shown = cli("status", "--max-age", age)
    assert (shown.code, "OK             no" in shown.out) == (code, code == 1)


def test_without_an_age_silence_is_shown_and_no_failure(cli: Cli) -> None:
    assert cli("status").code == 0
    assert cli("status", "--max-age", "1d").code == 1


def test_a_paused_sync_fails_the_monitor(cli: Cli, isolated: Path) -> None:
    ran(isolated, datetime.now(UTC))
    assert cli("status", "--max-age", "30m").code == 0
    cli("sync", "pause", "--reason", "incident")
    assert cli("status", "--max-age", "30m").code == 1
    assert cli("status").code == 0


@pytest.mark.parametrize(("age", "told"), [("30", "has no unit"), ("soon", "expected a duration")])
def test_an_age_needs_its_unit(age: str, told: str, cli: Cli) -> None:
    done = cli("status", "--max-age", age)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: --max-age: ")
    assert told in done.err


def test_the_status_asks_nothing_of_stripe(
    cli: Cli, isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owe(cli)
    monkeypatch.setenv("AI_METERING_BILLING_DRIVER", "stripe")
    monkeypatch.setenv("STRIPE_API_BASE", "http://127.0.0.1:1")
    assert cli("status").code == 0
    assert not loaded_modules("status") & {"stripe", "requests", "alembic", "rich"}


def test_a_plain_list_of_overages_does_not_wait_for_other_models(cli: Cli) -> None:
    models = {name for name in loaded_modules("overages", "list") if "aimeter_cli.models." in name}
    assert models == {"aimeter_cli.models.columns", "aimeter_cli.models.overages"}


def test_every_job_that_ran_is_shown_and_rehearsals_are_not(
    cli: Cli, billing: SandboxControl
) -> None:
    cli("subscriptions", "expire", "--dry-run")
    cli("sync-stripe-overages", "--dry-run")
    assert [job["run_id"] for job in cli("status", "--format", "json").json["jobs"]] == [None]
    cli("subscriptions", "expire")
    cli("sync-stripe-overages")
    jobs = cli("status", "--format", "json").json["jobs"]
    assert [(job["command"], job["exit_code"]) for job in jobs] == [
        ("sync-stripe-overages", 0), ("subscriptions expire", 0),
    ]  # fmt: skip
    assert jobs[1]["counts"] == {"closed": 0}


def test_stranded_overages_are_listed_in_every_format(
    cli: Cli, billing: SandboxControl, customer: Callable[[], str]
) -> None:
    owed_by = customer()
    owe(cli, customer=owed_by)
    cli("sync-stripe-overages", *NOW)
    later = ("--as-of", "2027-02-15T12:00:00Z")
    assert cli("overages", "list", "--stranded", *NOW).err == "No overage matches.\n"
    shown = cli("overages", "list", "--stranded", *later)
    assert "Stranded" in shown.out.splitlines()[0]
    assert shown.out.splitlines()[1].endswith("not_collected")
    item = billing.items()[0]["id"]
    assert shown.err == (
        "1 overage(s), 10.00 USD in all\n"
        f"not_collected: user:42: look at {item} at Stripe: its service ended more than 35 days "
        f"ago; make an invoice for {owed_by} at Stripe that takes its pending items, or aimeter "
        "overages waive ID\n"
    )
    [row] = cli("overages", "list", "--stranded", "--format", "json", *later).json
    assert row["stranded_reason"] == "not_collected"
    assert cli("overages", "list", "--stranded", "--failed", *later).out == ""
    assert cli("overages", "list", "--stranded", "--billable", "user:1", *later).out == ""
    assert cli("status", "--format", "json", *later).json["stranded"] == 1
