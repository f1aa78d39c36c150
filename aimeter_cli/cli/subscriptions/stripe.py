"""What a command does about Stripe once its own change is committed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aimeter_cli.billing.null import SET_DRIVER
from aimeter_cli.cli.invocation import Invocation
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.errors import ConfigurationError

if TYPE_CHECKING:
    from aimeter_cli.billing.directory import DirectoryDriver
    from aimeter_cli.services.subscriptions.create import NewSubscription
    from aimeter_cli.services.subscriptions.view import SubscriptionView
    from aimeter_cli.webhooks.stripe_ids import Linked


def asked_driver(run: Invocation, *, dry_run: bool = False) -> DirectoryDriver:
    """The driver, which must be one that can be asked. Raises ConfigurationError, also for a key of
    another mode or account than the rows'; RowsFailed if nobody tells whose it is."""
    from aimeter_cli.billing.directory import DirectoryDriver
    from aimeter_cli.services.sync.account import check_reading

    driver = run.app.driver
    if not isinstance(driver, DirectoryDriver):
        raise _nobody_to_ask(driver.name)
    driver.ensure_ready()
    check_reading(run.app.database, run.app.settings, driver, dry_run=dry_run)
    return driver


def _nobody_to_ask(driver: str) -> ConfigurationError:
    if driver == "null":
        return ConfigurationError(
            "the billing driver is null: there is no Stripe account to ask",
            hint=SET_DRIVER,
        )
    return ConfigurationError(
        f"the billing driver {driver} cannot be asked for customers and subscriptions",
        hint="Set the ids by hand: aimeter subscriptions set-stripe-ids user:42 --customer cus_…",
    )


def find_stripe_ids(run: Invocation, changed: SubscriptionView) -> bool:
    """Look for ids that are missing and tell what was found; whether anything was set."""
    if not _looks_for_ids(run):
        return False
    from aimeter_cli.webhooks.stripe_ids import auto_sync

    ref = BillableRef.parse(changed.billable.ref)
    return _tell(run, auto_sync(run.app.database, run.app.settings, ref, now=run.now()))


def rehearse_create(run: Invocation, new: NewSubscription) -> SubscriptionView:
    """What would be made, with the ids that would be found; they are told."""
    app = run.app
    if not _looks_for_ids(run):
        from aimeter_cli.services.subscriptions.create import create_subscription

        return create_subscription(app.database, new, now=run.now(), dry_run=True)
    from aimeter_cli.webhooks.stripe_ids import rehearse_create as rehearse

    made, linked = rehearse(app.database, app.settings, new, now=run.now())
    _tell(run, linked)
    return made


def _looks_for_ids(run: Invocation) -> bool:
    settings = run.app.settings
    return settings.auto_sync_stripe_ids and settings.billing_driver != "null"


def _tell(run: Invocation, linked: Linked) -> bool:
    for notice in linked.notices:
        run.console.notice(notice)
    return linked.found is not None and linked.found.status == "set"


def set_ids(
    run: Invocation, billable: BillableRef, *, no_check: bool, **given: Any
) -> SubscriptionView:
    """Set Stripe ids, once Stripe knows them, where it can be asked."""
    from aimeter_cli.billing.directory import directory_of
    from aimeter_cli.services.subscriptions.checked_ids import set_checked_ids
    from aimeter_cli.services.subscriptions.stripe_ids import set_stripe_ids

    app = run.app
    directory = None if no_check else directory_of(app.driver)
    if directory is None:
        return set_stripe_ids(app.database, billable, now=run.now(), **given)
    changed, unchecked = set_checked_ids(
        app.database, app.settings, directory, billable, now=run.now(), **given
    )
    if unchecked is not None:
        command = f"aimeter subscriptions reconcile {billable}"
        run.console.warn(f"the ids were not looked up at Stripe: {unchecked}. {command} does it")
    return changed


def take_up_waiting(run: Invocation, stripe_ids: Sequence[str]) -> None:
    """Handle the events that waited for these subscriptions and customers; tell what they did."""
    from aimeter_cli.webhooks.stripe_ids import take_up_waiting as take_up

    app = run.app
    for notice in take_up(
        app.database, app.settings, stripe_ids, lambda: app.driver, now=run.now()
    ):
        run.console.notice(notice)


def after_known(run: Invocation, made: SubscriptionView) -> bool:
    """Take up what waited for the ids it was made with, and find what it was made without.

    Whether the subscription may look otherwise now.
    """
    ids = made.subscription.stripe_subscription_id, made.billable.stripe_customer_id
    given = [each for each in ids if each is not None]
    if given:
        take_up_waiting(run, given)
    return find_stripe_ids(run, made) or bool(given)
