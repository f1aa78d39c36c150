"""Runs of cron jobs, each a row: begun with the run, completed at its end, so that a run that was
killed is seen as begun and never ended."""

from __future__ import annotations

import json
import logging
import re
import socket
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import func
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlmodel import Session, col, delete, select, update

from aimeter_cli.db.clock import database_now
from aimeter_cli.db.engine import Database
from aimeter_cli.errors import AimeterError, InvalidInput, NotFound
from aimeter_cli.models.job_runs import JobRun
from aimeter_cli.models.overages import Overage

SYNC = "sync-stripe-overages"
PAUSED = "paused"
"""The error of a run that did nothing, because it was told so: no success."""

SUCCESSES = (0, 3)
"""Exit codes of a run that did its work: with 3 some rows failed, which is told elsewhere."""

KEPT = timedelta(days=400)
_LEAST_PREFIX = 6
_log = logging.getLogger("aimeter")


@dataclass(slots=True)
class Job:
    """A run under way. What it sets here stands in its row, and in the log, when it has ended."""

    run_id: str
    counts: Mapping[str, Any] = field(default_factory=dict)
    exit_code: int = 0
    error: str | None = None

    def ended_by(self, error: BaseException) -> None:
        """The exit code that the error makes; of what was not foreseen only the type is kept."""
        if isinstance(error, AimeterError):
            self.exit_code, self.error = error.exit_code, error.message
            return
        self.error = type(error).__name__
        if isinstance(error, KeyboardInterrupt):
            self.exit_code = 130
        else:
            self.exit_code = 5 if isinstance(error, OperationalError | InterfaceError) else 70


@contextmanager
def running(database: Database, command: str, *, dry_run: bool = False) -> Iterator[Job]:
    """Write down that a command runs, and at the end of the block how it went, also if it raises.

    A dry run leaves no row.
    """
    job, started = Job(uuid.uuid4().hex), time.monotonic()
    if dry_run:
        yield job
        return
    _begin(database, job.run_id, command)
    try:
        yield job
    except BaseException as error:
        job.ended_by(error)
        try:
            _end(database, command, job, started)
        except (SQLAlchemyError, AimeterError) as second:  # what came first is what matters
            error.add_note(f"its row was not completed: {type(second).__name__}")
        raise
    _end(database, command, job, started)


def _begin(database: Database, run_id: str, command: str) -> None:
    with database.write() as session:
        now, host = database_now(session), socket.gethostname()
        session.add(JobRun(id=run_id, command=command, host=host, started_at=now))


def _end(database: Database, command: str, job: Job, started: float) -> None:
    """Complete the row; those of the command that are too old go with it."""
    how = {"exit_code": job.exit_code, "error": job.error}
    told = {"run_id": job.run_id, "command": command, **how, "counts": dict(job.counts)}
    _log.info("run ended", extra={**told, "seconds": round(time.monotonic() - started, 3)})
    counts = json.dumps(job.counts, sort_keys=True) if job.counts else None
    with database.write() as session:
        now, connection = database_now(session), session.connection()
        connection.execute(
            update(JobRun)
            .where(col(JobRun.id) == job.run_id)
            .values(finished_at=now, counts=counts, **how)
        )
        connection.execute(
            delete(JobRun).where(
                col(JobRun.command) == command, col(JobRun.started_at) < now - KEPT
            )
        )


def commands(session: Session) -> Iterator[str]:
    """Every command that has ever run, by a step through the index for each."""
    name: str | None = ""
    while name is not None:
        following = select(func.min(JobRun.command)).where(col(JobRun.command) > name)
        name = session.exec(following).one()
        if name is not None:
            yield name


def last_run(session: Session, command: str, *, succeeded: bool = False) -> JobRun | None:
    """The run of a command that began last; of those that did their work, or of all."""
    query = select(JobRun).where(JobRun.command == command)
    if succeeded:
        query = query.where(col(JobRun.exit_code).in_(SUCCESSES), col(JobRun.error).is_(None))
    return session.exec(query.order_by(col(JobRun.started_at).desc()).limit(1)).first()


def find_run(session: Session, text: str) -> str:
    """The id of a run, of which its beginning is enough, where only one begins so.

    Raises InvalidInput for less than six characters, or where several begin so; NotFound.
    """
    start = text.strip().lower()
    if len(start) < _LEAST_PREFIX:
        raise InvalidInput(f"--run: expected at least {_LEAST_PREFIX} characters, got {text!r}")
    found: set[str | None] = set()
    if re.fullmatch("[0-9a-f]+", start):
        for column in (col(JobRun.id), col(Overage.run_id)):  # immediate syncs leave no job's row
            first_and_last = select(func.min(column), func.max(column))
            same = column >= start, column < start + "g"
            found.update(session.exec(first_and_last.where(*same)).one())
    runs = [run for run in found if run is not None]
    if not runs:
        raise NotFound(f"there is no run {text}", hint="aimeter status shows the last ones")
    if len(runs) > 1:
        raise InvalidInput(f"--run: several runs begin with {text!r}; name more of it")
    return runs[0]
