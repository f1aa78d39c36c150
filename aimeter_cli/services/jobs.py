"""Runs of cron jobs, each a row, so that ``doctor`` and monitors see when the last one was."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlmodel import col, select

from aimeter_cli.db.engine import Database
from aimeter_cli.models.job_runs import JobRun


def begin(database: Database, run_id: str, command: str, now: datetime) -> None:
    with database.write() as session:
        session.add(JobRun(id=run_id, command=command, host=socket.gethostname(), started_at=now))


def finish(
    database: Database,
    run_id: str,
    *,
    exit_code: int,
    counts: Mapping[str, Any],
    error: str | None,
    now: datetime,
) -> None:
    with database.write() as session:
        run = session.get_one(JobRun, run_id)
        run.finished_at, run.exit_code, run.error = now, exit_code, error
        run.counts = json.dumps(counts, sort_keys=True)
        session.add(run)


def last_run(database: Database, command: str) -> JobRun | None:
    """The run of a command that began last."""
    with database.read() as session:
        return session.exec(
            select(JobRun)
            .where(JobRun.command == command)
            .order_by(col(JobRun.started_at).desc())
            .limit(1)
        ).first()
