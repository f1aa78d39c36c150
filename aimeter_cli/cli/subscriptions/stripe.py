"""What a command does about Stripe once its own change is committed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from aimeter_cli.cli.invocation import Invocation
from aimeter_cli.domain.references import BillableRef

if TYPE_CHECKING:
    from aimeter_cli.billing.directory import DirectoryDriver
    from aimeter_cli.services.subscriptions.view import SubscriptionView


def asked_driver(run: Invocation) -> DirectoryDriver:
    """The driver, which must be one that can be asked. Raises ConfigurationError, also for a key of
    another mode or account than the rows'."""
    from aimeter_cli.billing.directory import DirectoryDriver
    from aimeter_cli.errors import ConfigurationError
    from aimeter_cli.services.sync.account import ensure_same_account

    driver = run.app.driver
    driver.ensure_ready()
    if isinstance(driver, DirectoryDriver):
        ensure_same_account(run.app.database, driver)
        return driver
    raise ConfigurationError(
        f"the billing driver {driver.name} cannot be asked for customers and subscriptions",
        hint="Set the ids by hand: aimeter subscriptions set-stripe-ids user:42 --customer cus_…",
    )


def find_stripe_ids(run: Invocation, changed: SubscriptionView) -> bool:
    """Look for ids that are missing and tell what was found; whether anything was set."""
    settings = run.app.settings
    if not settings.auto_sync_stripe_ids or settings.billing_driver == "null":
        return False
    from aimeter_cli.webhooks.stripe_ids import auto_sync

    ref = BillableRef.parse(changed.billable.ref)
    linked = auto_sync(run.app.database, settings, ref, now=run.now())
    for notice in linked.notices:
        run.console.notice(notice)
    return linked.found is not None and linked.found.status == "set"


def take_up_waiting(run: Invocation, stripe_subscription_ids: Sequence[str]) -> None:
    """Handle the events that waited for these ids, and tell what they did."""
    from aimeter_cli.webhooks.stripe_ids import take_up_waiting as take_up

    app = run.app
    for notice in take_up(
        app.database, app.settings, stripe_subscription_ids, lambda: app.driver, now=run.now()
    ):
        run.console.notice(notice)


def after_known(run: Invocation, made: SubscriptionView) -> bool:
    """Take up what waited for the id it was made with, and find what it was made without.

    Whether the subscription may look otherwise now.
    """
    given = made.subscription.stripe_subscription_id
    if given is not None:
        take_up_waiting(run, [given])
    return find_stripe_ids(run, made) or given is not None
