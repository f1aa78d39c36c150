"""The doctor tells whether anybody looks, and whether those who are to be told can be."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aimeter_cli.db.engine import Database
from aimeter_cli.models.job_runs import JobRun
from tests.conftest import Cli

CRON = "*/10 * * * * aimeter alerts check in a crontab runs it every ten minutes."
OPS = {"name": "ops", "command": ["true"]}


def found(cli: Cli) -> list[tuple[str, str, str | None]]:
    checks: list[dict[str, Any]] = cli("doctor", "--format", "json").json
    return [
        (check["status"], check["detail"], check["hint"])
        for check in checks
        if check["name"] == "alerts"
    ]


def test_without_alerts_that_is_said_and_no_fault(cli: Cli) -> None:
    [(status, told, _)] = found(cli)
    assert (status, told) == ("skipped", "nobody is told what needs a person")


@pytest.mark.parametrize(
    ("minutes", "code", "status", "told"),
    [
        (None, 0, "warning", "alerts check has never succeeded"),
        (61, 0, "warning", "more than an hour ago"),
        (5, 4, "warning", "alerts check has never succeeded"),
        (59, 0, "ok", "told to ops; last looked "),
        (5, 3, "ok", "told to ops; last looked "),
    ],
)
def test_alerts_that_nobody_looks_after_are_found(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, database: Database,
    minutes: float | None, code: int, status: str, told: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("AI_METERING_ALERTS", json.dumps([OPS]))
    if minutes is not None:
        at = datetime.now(UTC) - timedelta(minutes=minutes)
        with database.write() as session:
            session.add(
                JobRun(
                    id="a", command="alerts check", host="here", started_at=at, finished_at=at,
                    exit_code=code,
                )
            )  # fmt: skip
    [(seen, detail, hint)] = found(cli)
    assert (seen, told in detail) == (status, True), detail
    assert hint == (CRON if status == "warning" else None)


def test_an_address_that_is_missing_is_found(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    alerts = [{"name": "ops", "slack_env": "NO_SUCH_VARIABLE"}]
    monkeypatch.setenv("AI_METERING_ALERTS", json.dumps(alerts))
    assert found(cli)[0][:2] == ("warning", "ops: NO_SUCH_VARIABLE is not set")
