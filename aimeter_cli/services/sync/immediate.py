"""Strategy ``immediate``: the same claim, send and settle right after the usage commits."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from aimeter_cli.billing.base import BillingDriver
from aimeter_cli.db.engine import Database
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.repositories.billables import find_billable
from aimeter_cli.services.sync.guards import Guards
from aimeter_cli.services.sync.plan import Options
from aimeter_cli.services.sync.run import run_sync
from aimeter_cli.settings.table import Settings
from aimeter_cli.signals import StopFlag

_LIMIT = 100
_PUT_OFF = "the next sync-stripe-overages goes on"


def sync_now(
    database: Database,
    settings: Settings,
    driver: BillingDriver,
    billables: Iterable[str],
    *,
    now: datetime,
    stop: StopFlag,
    closing: bool = False,
) -> list[str]:
    """Send what these billables owe. What does not settle is left to the next batch run.

    Together they are one run: what guards let pass of one counts for the next, and where Stripe
    does not answer for one, the others are not tried.

    ``closing``: items of theirs whose invoice is finalised are closed, too. Returns notices for
    stderr. Raises ConfigurationError where there is nowhere to send.
    """
    notices: list[str] = []
    guards = Guards.of(settings)
    for ref in sorted(set(billables)):
        with database.read() as session:
            billable = find_billable(session, BillableRef.parse(ref))
        if billable is None:
            continue
        if stop.is_set():
            notices.append(f"{ref} and what comes after it: {_PUT_OFF}")
            break
        options = Options(limit=_LIMIT, billable_id=billable.id, closing=closing)
        report = run_sync(database, settings, driver, options, now=now, stop=stop, guards=guards)
        notices += report.notices
        left = report.failed + report.unknown + report.deferred
        if left or report.error is not None or report.fault is not None:
            told = report.error.message if report.error is not None else f"{left} not settled"
            if report.fault is not None:
                told = f"{type(report.fault).__name__}, a fault of aimeter"
            notices.append(f"{ref}: {told}; {_PUT_OFF}")
        if report.error is not None or report.is_unreachable:
            break
    return notices
