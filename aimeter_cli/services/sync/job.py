"""A sync as cron runs it: with its row in ``ai_job_runs``, and a line for every item in the log."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Protocol

from aimeter_cli.billing.base import BillingDriver
from aimeter_cli.db.engine import Database
from aimeter_cli.services import jobs
from aimeter_cli.services.sync.report import Report
from aimeter_cli.services.sync.run import Advance, Options, run_sync
from aimeter_cli.settings.table import Settings
from aimeter_cli.signals import StopFlag

COMMAND = "sync-stripe-overages"
_log = logging.getLogger("aimeter")


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
    """Run, and write down how it went. Raises what :func:`run_sync` raises."""
    report = run_sync(
        app.database, app.settings, app.driver, options,
        now=app.now(), stop=stop, advance=advance,
    )  # fmt: skip
    for item in report.items:
        _log.info(
            "sync item",
            extra={
                "run_id": report.run_id, "billable": item.billable, "status": item.status,
                "stripe_invoice_item_id": item.stripe_invoice_item_id, "error": item.error,
                "amount_minor": item.amount_minor, "currency": item.currency,
                "request_id": item.request_id, "overages": list(item.overages),
            },
        )  # fmt: skip
    if not options.dry_run:
        jobs.record_run(
            app.database, report.run_id, COMMAND,
            seconds=report.seconds, exit_code=report.exit_code, counts=report.counts,
            error=report.error.message if report.error is not None else _name(report.fault),
            now=datetime.now(UTC),
        )  # fmt: skip
    return report


def _name(fault: BaseException | None) -> str | None:
    return type(fault).__name__ if fault is not None else None
