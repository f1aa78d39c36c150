"""Stripe ids that a person gives, looked up at Stripe before they are kept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial

from aimeter_cli.billing.base import Reply
from aimeter_cli.billing.directory import DirectoryDriver, Object
from aimeter_cli.db.engine import Database
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.domain.sync import Answer
from aimeter_cli.errors import Conflict, NotFound, RowsFailed
from aimeter_cli.services.subscriptions.stripe_ids import set_stripe_ids
from aimeter_cli.services.subscriptions.view import SubscriptionView
from aimeter_cli.services.sync.account import check_reading, settle_reading
from aimeter_cli.settings.table import Settings


def set_checked_ids(
    database: Database,
    settings: Settings,
    driver: DirectoryDriver,
    ref: BillableRef,
    *,
    now: datetime,
    customer: str | None = None,
    subscription: str | None = None,
    force: bool = False,
    dry_run: bool = False,
) -> tuple[SubscriptionView, str | None]:
    """``set_stripe_ids`` of ids that Stripe knows, with why they could not be looked up, if so:
    where Stripe does not answer, or the key may not ask, they are set all the same.

    Raises as ``set_stripe_ids`` does, and before anything is set NotFound for an id that is not at
    Stripe, Conflict for a subscription of another customer, ConfigurationError for a key of
    another mode or account.
    """
    set_ids = partial(
        set_stripe_ids, database, ref, now=now, customer=customer, subscription=subscription,
        force=force,
    )  # fmt: skip
    would_be = set_ids(dry_run=True)
    unchecked = None
    try:
        # A wrong key is found out by its ids: the rows are not of its account before they are.
        account = check_reading(database, settings, driver, dry_run=True)
        _check(driver, would_be, customer=customer, subscription=subscription)
        if account is not None:
            settle_reading(database, driver, account, dry_run=dry_run)
    except (RowsFailed, _NoAnswer) as silence:
        unchecked = str(silence)
    return (would_be if dry_run else set_ids()), unchecked


class _NoAnswer(Exception):  # no error: the ids are kept all the same
    """The message says why."""


def _check(
    driver: DirectoryDriver,
    would_be: SubscriptionView,
    *,
    customer: str | None,
    subscription: str | None,
) -> None:
    """Whether what is given is there, and what would be stored belongs together."""
    if customer is not None and _read(driver.customer(customer)) is None:
        raise _missing("--customer", customer, would_be)
    stored = would_be.subscription.stripe_subscription_id
    if stored is None:
        return
    found = _read(driver.subscription(stored))
    if found is None and subscription is not None:
        raise _missing("--subscription", stored, would_be)
    owner, ours = _customer_of(found or {}), would_be.billable.stripe_customer_id
    if owner is None or ours is None or owner == ours:
        return
    other = (
        f"--customer {owner} with it, if it is right"
        if customer is None
        else "--subscription with one of that customer"
    )
    raise Conflict(
        f"{stored} is a subscription of {owner} at Stripe, not of {ours}",
        hint=f"Give {other}; or --no-check.",
    )


def _read(answer: Object | Reply) -> Object | None:
    """None: it is not there, or was deleted."""
    if not isinstance(answer, Reply):
        return answer
    if answer.answer is Answer.GONE:
        return None
    raise _NoAnswer(answer.reason or "Stripe gave no reason")


def _missing(option: str, given: str, would_be: SubscriptionView) -> NotFound:
    return NotFound(
        f"{option}: {given} is not at Stripe, or was deleted there",
        hint="Copy it from the dashboard of the account and mode that STRIPE_API_KEY is of; "
        f"aimeter subscriptions sync-stripe-ids {would_be.billable.ref} looks for it.",
    )


def _customer_of(subscription: Object) -> str | None:
    value = subscription.get("customer")
    named = value.get("id") if isinstance(value, Mapping) else value
    return named if isinstance(named, str) else None
