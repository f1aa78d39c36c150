"""Runs of cron jobs, each a row, so that ``doctor`` and monitors see when the last one was."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import col, select

from aimeter_cli.db.engine import Database
from aimeter_cli.models.job_runs import JobRun


def record_run(
    database: Database,
    run_id: str,
    command: str,
    *,
    seconds: float,
    exit_code: int,
    counts: Mapping[str, Any],
    error: str | None,
    now: datetime,
) -> None:
    """Write down a run that has just ended, at ``now``."""
    with database.write() as session:
        session.add(
            JobRun(
                id=run_id, command=command, host=socket.gethostname(),
                started_at=now - timedelta(seconds=seconds), finished_at=now, exit_code=exit_code,
                counts=json.dumps(counts, sort_keys=True), error=error,
            )
        )  # fmt: skip


def last_run(database: Database, command: str) -> JobRun | None:
    """The run of a command that began last."""
    with database.read() as session:
        return session.exec(
            select(JobRun)
            .where(JobRun.command == command)
            .order_by(col(JobRun.started_at).desc())
            .limit(1)
        ).first()
