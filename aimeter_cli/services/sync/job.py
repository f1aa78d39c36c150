"""A sync as cron runs it: with its row in ``ai_job_runs``."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from aimeter_cli.billing.base import BillingDriver
from aimeter_cli.db.engine import Database
from aimeter_cli.errors import Interrupted
from aimeter_cli.services.jobs import PAUSED, SYNC, running
from aimeter_cli.services.sync.plan import Options
from aimeter_cli.services.sync.report import Report
from aimeter_cli.services.sync.run import Advance, run_sync
from aimeter_cli.settings.table import Settings
from aimeter_cli.signals import StopFlag


class Assembly(Protocol):
    """What a run needs of the composition root."""

    @property
    def database(self) -> Database: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def driver(self) -> BillingDriver: ...
    def now(self) -> datetime: ...


def run_job(app: Assembly, options: Options, *, stop: StopFlag, advance: Advance) -> Report:
    """Run, and write down how it went. Raises what :func:`run_sync` raises.

    A run for one billable is a job of its own: it must not hide that cron's have stopped.
    """
    command = SYNC if options.billable_id is None else f"{SYNC} --billable"
    with running(app.database, command, dry_run=options.dry_run) as job:
        report = run_sync(
            app.database, app.settings, app.driver, options,
            now=app.now(), stop=stop, advance=advance, run_id=job.run_id,
        )  # fmt: skip
        job.counts, job.exit_code = report.counts, report.exit_code
        job.error = PAUSED if report.is_paused else None
        ended_by = Interrupted(stop.signum) if stop.signum is not None else report.fault
        if ended_by is None:
            ended_by = report.error
        if ended_by is not None:
            job.ended_by(ended_by)
    return report
