"""Stripe ids found after a sign-up, and the events that waited for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from aimeter_cli.billing.base import BillingDriver
from aimeter_cli.billing.directory import DirectoryDriver, directory_of
from aimeter_cli.billing.registry import make_driver
from aimeter_cli.db.engine import Database
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.errors import AimeterError, Conflict
from aimeter_cli.services.subscriptions.at_stripe import Unclear, look_up
from aimeter_cli.services.subscriptions.create import (
    NewSubscription,
    create_subscription,
    made_in,
)
from aimeter_cli.services.subscriptions.found_ids import (
    FoundIds,
    refused,
    settle_in,
    unsettled,
)
from aimeter_cli.services.subscriptions.sync_stripe_ids import (
    known_ids,
    sync_stripe_ids,
    wanted_ids,
)
from aimeter_cli.services.subscriptions.view import SubscriptionView
from aimeter_cli.services.sync.account import check_reading
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

    It asks only with ``auto_sync_stripe_ids`` on, a driver that can be asked and a key, and each
    request may take ``PATIENCE_SECONDS``. Nothing that Stripe does raises: it is told in
    ``notices``; ``subscriptions sync-stripe-ids`` looks again. Raises NotFound for a billable that
    has no subscription.
    """
    if not settings.auto_sync_stripe_ids:
        return Linked(None)
    [known] = wanted_ids(database, now=now, billables=[billable])
    if known.is_complete:
        return Linked(None)

    try:
        with _patient_driver(settings) as driver:
            if driver is None:
                return Linked(None)
            check_reading(database, settings, driver)
            [found] = sync_stripe_ids(database, driver, [known], now=now)
            told = _told(found)
            if found.known_now and found.stripe_subscription_id is not None:
                ids = [found.stripe_subscription_id]
                told += take_up_waiting(database, settings, ids, lambda: driver, now=now)
            return Linked(found, tuple(told))
    except AimeterError as error:
        return Linked(None, (_put_off(error.message),))


def rehearse_create(
    database: Database, settings: Settings, new: NewSubscription, *, now: datetime
) -> tuple[SubscriptionView, Linked]:
    """What ``create_subscription`` would make, with the ids that ``auto_sync`` would find for it.

    Nothing is kept. Raises as ``create_subscription`` does.
    """
    made = create_subscription(database, new, now=now, dry_run=True)
    with database.read() as session:
        [known] = known_ids(session, [(made.subscription, made.billable, made.plan)])
    if known.is_complete or not settings.auto_sync_stripe_ids:
        return made, Linked(None)

    try:
        with _patient_driver(settings) as driver:
            if driver is None:
                return made, Linked(None)
            check_reading(database, settings, driver, dry_run=True)
            seen = look_up(driver, known)
    except AimeterError as error:
        return made, Linked(None, (_put_off(error.message),))
    if isinstance(seen, Unclear):
        found = unsettled(known, seen)
        return made, Linked(found, tuple(_told(found)))
    try:
        with database.write(dry_run=True) as session:
            made = made_in(session, new, now)
            row = replace(known, subscription_id=made.subscription.id)
            found = settle_in(session, row, seen, now)
    except Conflict as conflict:
        found = refused(known, conflict)
    return made, Linked(found, tuple(_told(found)))


def take_up_waiting(
    database: Database,
    settings: Settings,
    stripe_ids: Iterable[str],
    driver: Callable[[], BillingDriver],
    *,
    now: datetime,
) -> list[str]:
    """Handle the events that waited for these subscriptions and customers, now that they are
    known, and take over the state that Stripe has of the subscriptions, where it can be asked; says
    what was done.

    What Stripe does raises nothing: the ids have been committed.
    """
    ids = list(stripe_ids)
    subscriptions = [each for each in ids if not each.startswith("cus_")]
    try:
        directory = _directory(database, settings, driver) if subscriptions else None
        not_asked = None
    except AimeterError as error:
        directory, not_asked = None, error
    results = take_up(database, settings, ids, now=now, directory=directory)
    notices = _waited(results, ids) + follow_up(database, settings, driver, results, now=now)
    try:
        if directory is not None:
            notices += _take_current(database, settings, directory, subscriptions, now=now)
    except AimeterError as error:
        not_asked = error
    if not_asked is not None:
        notices.append(
            f"Stripe was not asked about {', '.join(subscriptions)}: {not_asked.message}. "
            "aimeter subscriptions reconcile --all --fix does it"
        )
    return notices


@contextmanager
def _patient_driver(settings: Settings) -> Iterator[DirectoryDriver | None]:
    """None: there is nobody to ask, or no key to ask with."""
    seconds = min(PATIENCE_SECONDS, settings.stripe_timeout_seconds)
    driver = make_driver(replace(settings, stripe_timeout_seconds=seconds))
    try:
        yield directory_of(driver)
    finally:
        driver.close()


def _directory(
    database: Database, settings: Settings, driver: Callable[[], BillingDriver]
) -> DirectoryDriver | None:
    """Who can be asked. Raises ConfigurationError for a key of another mode or account, RowsFailed
    if nobody tells whose it is."""
    directory = directory_of(driver())
    if directory is not None:
        check_reading(database, settings, directory)
    return directory


def _told(found: FoundIds) -> list[str]:
    if found.status == "failed":
        return [_put_off(found.reason or "no reason was given")]
    return [f"Stripe ids: {found.in_words}"]


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
