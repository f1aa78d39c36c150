"""Stripe ids found after a sign-up, and the events that waited for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from aimeter_cli.billing.base import BillingDriver
from aimeter_cli.billing.directory import directory_of
from aimeter_cli.billing.registry import make_driver
from aimeter_cli.db.engine import Database
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.errors import AimeterError
from aimeter_cli.services.subscriptions.found_ids import FoundIds
from aimeter_cli.services.subscriptions.sync_stripe_ids import sync_stripe_ids, wanted_ids
from aimeter_cli.settings.table import Settings
from aimeter_cli.webhooks.follow_up import follow_up
from aimeter_cli.webhooks.waiting import take_up

PATIENCE_SECONDS = 5
"""How long an answer may take while somebody waits for a command that is about something else."""


@dataclass(frozen=True, slots=True)
class Linked:
    """``found`` is None where nothing was asked or Stripe did not answer; then see ``notices``."""

    found: FoundIds | None
    notices: tuple[str, ...] = ()


def auto_sync(
    database: Database, settings: Settings, billable: BillableRef, *, now: datetime
) -> Linked:
    """Find the Stripe ids that the billable's subscription lacks, after its own commit.

    For applications, too: call it after a sign-up. It asks only with ``auto_sync_stripe_ids`` on, a
    driver that can be asked and a key, and each request may take ``PATIENCE_SECONDS``. Nothing that
    Stripe does raises: it is told in ``notices``; ``subscriptions sync-stripe-ids`` looks again.
    Raises NotFound for a billable that has no subscription.
    """
    if not settings.auto_sync_stripe_ids:
        return Linked(None)
    [known] = wanted_ids(database, now=now, billables=[billable])
    if known.is_complete:
        return Linked(None)
    seconds = min(PATIENCE_SECONDS, settings.stripe_timeout_seconds)
    driver = make_driver(replace(settings, stripe_timeout_seconds=seconds))
    try:
        directory = directory_of(driver)
        if directory is None:
            return Linked(None)
        [found] = sync_stripe_ids(database, directory, [known], now=now)
    except AimeterError as error:
        return Linked(None, (_put_off(error.message),))
    finally:
        driver.close()
    if found.status == "failed":
        return Linked(found, (_put_off(found.reason or "no reason was given"),))
    told = [f"Stripe ids: {found.in_words}"]
    if found.known_now and found.stripe_subscription_id is not None:
        told += take_up_waiting(
            database, settings, [found.stripe_subscription_id],
            lambda: make_driver(settings), now=now,
        )  # fmt: skip
    return Linked(found, tuple(told))


def take_up_waiting(
    database: Database,
    settings: Settings,
    stripe_subscription_ids: Iterable[str],
    driver: Callable[[], BillingDriver],
    *,
    now: datetime,
) -> list[str]:
    """Handle the events that waited for these ids, now that they are known; says what was done."""
    ids = list(stripe_subscription_ids)
    results = take_up(
        database, settings, ids, now=now, directory=directory_of(driver()) if ids else None
    )
    if not results:
        return []
    fields = sorted({change.field for result in results for change in result.changes})
    told = f"{len(results)} Stripe event(s) had waited for {', '.join(ids)}"
    notices = [f"{told} and changed {', '.join(fields)}" if fields else f"{told}: nothing changes"]
    notices += [f"{each.event_id} failed: {each.error}" for each in results if each.is_bad]
    return notices + follow_up(database, settings, driver, results, now=now)


def _put_off(reason: str) -> str:
    return (
        f"the Stripe ids were not looked up: {reason}. "
        "aimeter subscriptions sync-stripe-ids tries again"
    )
