"""The doctor tells how the last sync went."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aimeter_cli.db.engine import Database
from aimeter_cli.models.job_runs import JobRun
from tests.conftest import Cli

CRON = "*/10 * * * * aimeter sync-stripe-overages in a crontab runs it every ten minutes."


@pytest.mark.parametrize(
    ("history", "verdict", "told", "hint"),
    [
        ([], "warning", "it has never run", CRON),
        ([(5, 0, None)], "ok", "exit 0", None),
        ([(65, 0, None)], "warning", "exit 0: more than an hour ago", CRON),
        ([(5, 4, "no key")], "warning", "exit 4", "no key"),
        ([(5, 3, None)], "warning", "exit 3",
         "aimeter overages list --unsynced shows what is left."),
        ([(20, 0, None), (5, None, None)], "ok", "not finished", None),
        ([(80, 0, None), (65, None, None)], "warning", "not finished: it was killed, or hangs",
         CRON),
    ],
)  # fmt: skip
def test_the_last_sync_is_judged(
    history: list[tuple[int, int | None, str | None]],
    verdict: str,
    told: str,
    hint: str | None,
    cli: Cli,
    isolated: Path,
) -> None:
    database = Database(f"sqlite:///{isolated / 'aimeter.db'}")
    for minutes, code, error in history:
        at = datetime.now(UTC) - timedelta(minutes=minutes)
        values: dict[str, Any] = {"exit_code": code, "error": error}
        values["finished_at"] = at if code is not None else None
        with database.write() as session:
            session.add(
                JobRun(
                    id=str(minutes), command="sync-stripe-overages", host="here", started_at=at,
                    **values,
                )
            )  # fmt: skip
    database.dispose()
    [check] = [
        check for check in cli("doctor", "--format", "json").json if check["name"] == "last sync"
    ]
    assert (check["status"], check["hint"]) == (verdict, hint)
    assert check["detail"].endswith(told)
