"""What must happen once an event is committed: the sync of a billable, with its network calls.

Nothing depends on it: a process that dies before has left the draft on the subscription, and items
to be looked at, so that the next ``sync-stripe-overages`` does the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from aimeter_cli.billing.base import BillingDriver
from aimeter_cli.billing.null import NullDriver
from aimeter_cli.db.engine import Database
from aimeter_cli.errors import AimeterError
from aimeter_cli.services.sync.immediate import sync_now
from aimeter_cli.settings.table import Settings
from aimeter_cli.signals import StopFlag
from aimeter_cli.webhooks.results import EventResult


def follow_up(
    database: Database,
    settings: Settings,
    make_driver: Callable[[], BillingDriver],
    results: Sequence[EventResult],
    *,
    now: datetime,
    stop: StopFlag | None = None,
) -> list[str]:
    """Sync the billables of these events, each once; returns notices for stderr.

    What a renewal closes goes onto its draft, what an invoice has taken is closed. Where there is
    nowhere to send nothing is done; what cannot be sent now is left to the next run, and told.
    """
    billables = {result.follow_up for result in results if result.follow_up is not None}
    if not billables:
        return []
    driver = make_driver()
    if isinstance(driver, NullDriver):
        return []
    try:
        notices = sync_now(
            database, settings, driver, billables, now=now, stop=stop or StopFlag(), closing=True
        )
    except AimeterError as error:
        notices = [f"not synced after the event: {error.message}; aimeter sync-stripe-overages"]
    return list(dict.fromkeys(notices))
