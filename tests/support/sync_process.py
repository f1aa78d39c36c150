"""What a process does that syncs until nothing is left, as cron's overlapping runs would."""

from __future__ import annotations

import time

from aimeter_cli.billing.registry import make_driver
from aimeter_cli.db.engine import Database
from aimeter_cli.services.sync.plan import Options
from aimeter_cli.services.sync.run import run_sync
from aimeter_cli.signals import StopFlag
from tests.support.world import NOW, sandbox_settings

SECONDS = 60


def main(database_url: str, sandbox_url: str) -> int:
    """Returns how many overages it settled."""
    settings = sandbox_settings(sandbox_url, stripe_concurrency=2, stripe_timeout_seconds=5)
    database, driver = Database(database_url), make_driver(settings)
    synced, idle, end = 0, 0, time.monotonic() + SECONDS
    while idle < 3 and time.monotonic() < end:
        report = run_sync(
            database, settings, driver, Options(limit=25, retry_now=True), now=NOW, stop=StopFlag()
        )
        synced += report.synced
        idle = 0 if report.selected or report.remaining else idle + 1
    driver.close()
    database.dispose()
    return synced
