"""Stripe ids found after a sign-up, and the events that waited for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from aimeter_cli.billing.base import BillingDriver
from aimeter_cli.billing.directory import DirectoryDriver, directory_of
from aimeter_cli.billing.registry import make_driver
from aimeter_cli.db.engine import Database
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.errors import AimeterError
from aimeter_cli.services.subscriptions.found_ids import FoundIds
from aimeter_cli.services.subscriptions.sync_stripe_ids import sync_stripe_ids, wanted_ids
from aimeter_cli.services.sync.account import ensure_same_account
from aimeter_cli.settings.table import Settings
from aimeter_cli.webhooks.current import watched_by_ids
from aimeter_cli.webhooks.follow_up import follow_up
from aimeter_cli.webhooks.reconcile import reconcile
from aimeter_cli.webhooks.results import EventResult
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
        ensure_same_account(database, directory)
        [found] = sync_stripe_ids(database, directory, [known], now=now)
        if found.status == "failed":
            return Linked(found, (_put_off(found.reason or "no reason was given"),))
        told = [f"Stripe ids: {found.in_words}"]
        if found.known_now and found.stripe_subscription_id is not None:
            ids = [found.stripe_subscription_id]
            told += take_up_waiting(database, settings, ids, lambda: driver, now=now)
        return Linked(found, tuple(told))
    except AimeterError as error:
        return Linked(None, (_put_off(error.message),))
    finally:
        driver.close()


def take_up_waiting(
    database: Database,
    settings: Settings,
    stripe_subscription_ids: Iterable[str],
    driver: Callable[[], BillingDriver],
    *,
    now: datetime,
) -> list[str]:
    """Handle the events that waited for these ids, now that they are known, and take over the
    state that Stripe has of them, where it can be asked; says what was done."""
    ids = list(stripe_subscription_ids)
    directory = directory_of(driver()) if ids else None
    results = take_up(database, settings, ids, now=now, directory=directory)
    notices = _waited(results, ids) + follow_up(database, settings, driver, results, now=now)
    if directory is None:
        return notices
    return notices + _take_current(database, settings, directory, ids, now=now)


def _waited(results: Sequence[EventResult], ids: Sequence[str]) -> list[str]:
    if not results:
        return []
    fields = sorted({change.field for result in results for change in result.changes})
    told = f"{len(results)} Stripe event(s) had waited for {', '.join(ids)}"
    notices = [f"{told} and changed {', '.join(fields)}" if fields else f"{told}: nothing changes"]
    return notices + [f"{each.event_id} failed: {each.error}" for each in results if each.is_bad]


def _take_current(
    database: Database,
    settings: Settings,
    directory: DirectoryDriver,
    ids: Iterable[str],
    *,
    now: datetime,
) -> list[str]:
    """Its period, plan and pause may be older than any event that is still to come."""
    notices = []
    watched = watched_by_ids(database, ids, now=now)
    for found in reconcile(database, settings, directory, watched, now=now, fix=True):
        fixed = [each.field for each in found if each.status == "fixed"]
        if fixed:
            at = found[0].stripe_subscription_id
            notices.append(f"{at} as it is at Stripe changed {', '.join(dict.fromkeys(fixed))}")
        notices += [
            f"{each.billable}: {each.field or 'its state'} was not taken over: {each.reason}"
            for each in found
            if each.status in ("kept", "unread")
        ]
    return notices


def _put_off(reason: str) -> str:
    return (
        f"the Stripe ids were not looked up: {reason}. "
        "aimeter subscriptions sync-stripe-ids tries again"
    )
