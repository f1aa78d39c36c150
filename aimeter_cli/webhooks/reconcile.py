"""Ours beside Stripe's, field by field, and mended by the code that handles events.

A difference is what taking Stripe's state over would change: it is found by doing so in a
transaction that is rolled back. A mended subscription is dated by the reading, so that older events
that come later are stale.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy.exc import DataError, IntegrityError
from sqlmodel import Session

from aimeter_cli.billing.directory import DirectoryDriver
from aimeter_cli.db.engine import Database
from aimeter_cli.domain.currency import MINOR_UNITS
from aimeter_cli.domain.grace import after_failure, after_recovery, after_settlement
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.domain.stripe_events import StripeEvent
from aimeter_cli.domain.stripe_payloads import (
    StripeSubscription,
    is_in_good_standing,
    read_subscription,
)
from aimeter_cli.domain.subscription import PlanChange, plan_at
from aimeter_cli.errors import AimeterError, Conflict
from aimeter_cli.services.billables import billable_named, update_billable
from aimeter_cli.settings.table import Settings
from aimeter_cli.webhooks.asking import Asked
from aimeter_cli.webhooks.current import IN_ARREARS, Current, Watched, read_current
from aimeter_cli.webhooks.grace_rows import forgive, grace_of, store_grace
from aimeter_cli.webhooks.handling import Handling, Row
from aimeter_cli.webhooks.invoices import has_ended
from aimeter_cli.webhooks.named_plans import PLAN_FIELDS
from aimeter_cli.webhooks.subscriptions import CLOCK_SKEW, no_plan, take_current
from aimeter_cli.webhooks.transaction import Transaction

_SETTLED = ("paid", "void")


@dataclass(frozen=True, slots=True)
class Deviation:
    """One field that differs. ``kept``: it is not for us to mend, ``reason`` says what to do."""

    billable: str
    subscription_id: int
    stripe_subscription_id: str
    field: str
    ours: Any
    theirs: Any
    status: Literal["differs", "fixed", "kept", "unread"] = "differs"
    reason: str | None = None


def reconcile(
    database: Database,
    settings: Settings,
    driver: DirectoryDriver,
    watched: Sequence[Watched],
    *,
    now: datetime,
    fix: bool = False,
) -> Iterator[list[Deviation]]:
    """For each subscription what differs; with ``fix`` it is mended where it can be.

    Raises ConfigurationError where the key is refused.
    """
    at = now.replace(microsecond=0)
    size = settings.stripe_concurrency
    with ThreadPoolExecutor(size) as pool:
        for first in range(0, len(watched), size):
            some = watched[first : first + size]
            for current in pool.map(lambda each: read_current(driver, each, at), some):
                yield _compare(database, settings, current, now, fix=fix)


def _compare(
    database: Database, settings: Settings, current: Current, now: datetime, *, fix: bool
) -> list[Deviation]:
    if current.unread is not None:
        return [_deviation(current, "", None, None, "unread", current.unread)]
    found = _of_customer(database, current, now, fix=fix)
    if current.subscription is None:
        reason = "it is not at Stripe, or of another account; set-stripe-ids sets another"
        ours = current.watched.subscription
        return [*found, _deviation(current, "stripe_subscription_id", ours, None, "kept", reason)]
    try:
        with database.write(dry_run=True) as session:
            differing = _take_over(session, settings, current, now)
        if fix and any(each.status == "differs" for each in differing):
            with database.write() as session:
                done = _take_over(session, settings, current, now)
            differing = [
                replace(each, status="fixed") if each.status == "differs" else each for each in done
            ]
    except (IntegrityError, DataError) as error:
        reason = f"the database refuses it: {type(error.orig).__name__}"
        return [*found, _deviation(current, "", None, None, "unread", reason)]
    except AimeterError as error:
        return [*found, _deviation(current, "", None, None, "unread", error.message)]
    return found + differing


def _take_over(
    session: Session, settings: Settings, current: Current, now: datetime
) -> list[Deviation]:
    """What changes by it. Raises Conflict where an event has been handled since the reading."""
    stripe = read_subscription(current.subscription or {})
    handling = _handling(session, settings, current, now)
    before = handling.subscription(stripe.id)
    if before["updated_at"] != current.watched.updated_at:
        raise Conflict("it was changed while Stripe was asked: run it again")
    at = max(current.at, before["stripe_updated_at"] or current.at)
    after = take_current(handling, before, stripe, at)
    if not has_ended(after):
        _follow_grace(handling, after, stripe, current, at)
    found = [
        _deviation(current, each.field, each.before, each.after)
        for each in handling.changes
        if each.field not in PLAN_FIELDS
    ]
    plans = _plan(before, at), _plan(after, at)
    if plans[0] != plans[1]:
        ours, theirs = map(handling.slug, plans)
        found.append(_deviation(current, "plan", ours, theirs))
    if has_ended(before) and not stripe.is_terminal and not handling.changes:
        reason = "it has ended here for good: cancel it at Stripe, or create another here"
        found.append(_deviation(current, "status", "canceled", stripe.status, "kept", reason))
    return found + [
        _deviation(current, "plan", handling.slug(plans[0]), ", ".join(stripe.prices), "kept", told)
        if told == no_plan(stripe)
        else _deviation(current, "", None, None, "kept", told)
        for told in handling.notices
    ]


def _handling(session: Session, settings: Settings, current: Current, now: datetime) -> Handling:
    """As if an event told what was read."""
    body = dict(current.subscription or {})
    event = StripeEvent(
        id="reconcile", type="customer.subscription.updated", created=current.at,
        livemode=body.get("livemode") is True, api_version=None, object=body, previous={},
        document={},
    )  # fmt: skip
    shared = Transaction(session, settings, now, Asked(None, now))
    return Handling(shared, event, was_handled=False)


def _plan(row: Row, moment: datetime) -> int:
    return plan_at(PlanChange(*(row[name] for name in PlanChange._fields)), moment)


def _follow_grace(
    handling: Handling, row: Row, stripe: StripeSubscription, current: Current, at: datetime
) -> None:
    """Invoices that need no payment any more end their grace, an unpaid one starts it.

    It starts when the invoice was finalised: the first attempt to collect comes with that.
    """
    days, grace = handling.settings.payment_failure_grace_period, grace_of(row)
    after = grace
    settled = [id_ for id_, body in current.invoices.items() if body.get("status") in _SETTLED]
    if settled:
        after = after_settlement(after, settled, at, days)
    if is_in_good_standing(stripe):
        row = forgive(handling, row, current.at - CLOCK_SKEW)
        after = after_recovery(after, {}, at, days)
    elif stripe.status in IN_ARREARS:
        for invoice, body in current.invoices.items():
            is_unpaid = body.get("status") == "open" and body.get("attempt_count")
            if is_unpaid and invoice not in grace.ends:
                after = after_failure(after, invoice, _finalised(body, at), days)
    store_grace(handling, row, after)


def _finalised(invoice: Any, at: datetime) -> datetime:
    seconds = (invoice.get("status_transitions") or {}).get("finalized_at")
    return datetime.fromtimestamp(seconds, UTC) if isinstance(seconds, int) else at


def _of_customer(
    database: Database, current: Current, now: datetime, *, fix: bool
) -> list[Deviation]:
    watched, found = current.watched, []
    owner = (current.subscription or {}).get("customer")
    if watched.customer is not None and current.customer is None:
        reason = f"it is deleted at Stripe: set-stripe-ids {watched.billable} sets another"
        found.append(
            _deviation(current, "stripe_customer_id", watched.customer, None, "kept", reason)
        )
    elif isinstance(owner, str) and owner != watched.customer:
        command = "set-stripe-ids" if watched.customer else "sync-stripe-ids"
        reason = f"aimeter subscriptions {command} {watched.billable}"
        found.append(
            _deviation(current, "stripe_customer_id", watched.customer, owner, "kept", reason)
        )
    currency = (current.customer or {}).get("currency")
    if isinstance(currency, str) and currency != watched.currency:
        found.append(_currency(database, current, currency, now, fix=fix))
    return found + _contact(database, current, fix=fix)


def _contact(database: Database, current: Current, *, fix: bool) -> list[Deviation]:
    """E-mail and name, as ``customer.updated`` would; what Stripe does not have stays here."""
    watched = current.watched
    if watched.customer is None or watched.contact is None:
        return []
    told = {name: (current.customer or {}).get(name) for name in watched.contact}
    differing = {
        name: theirs
        for name, theirs in told.items()
        if isinstance(theirs, str) and theirs.isprintable() and theirs
        and theirs != watched.contact[name]
    }  # fmt: skip
    found = [
        _deviation(current, name, watched.contact[name], theirs)
        for name, theirs in differing.items()
    ]
    if not fix or not found:
        return found
    with database.write() as session:
        billable = billable_named(session, BillableRef.parse(watched.billable), lock=True)
        if billable.anonymized_at is not None:
            return []
        if billable.stripe_customer_id != watched.customer:
            reason = "it was changed while Stripe was asked: run it again"
            return [replace(each, status="kept", reason=reason) for each in found]
        billable.sqlmodel_update(differing)
        session.add(billable)
    return [replace(each, status="fixed") for each in found]


def _currency(
    database: Database, current: Current, currency: str, now: datetime, *, fix: bool
) -> Deviation:
    """Taken over where none is set: a customer's invoices have one, all is converted into it."""
    watched = current.watched
    differs = _deviation(current, "currency", watched.currency, currency)
    command = f"aimeter billables update {watched.billable} --currency {currency}"
    if watched.is_set or currency not in MINOR_UNITS:
        return replace(differs, status="kept", reason=command)
    ref = BillableRef.parse(watched.billable)
    try:
        update_billable(database, ref, {"currency": currency}, now=now, dry_run=not fix)
    except Conflict as conflict:
        return replace(differs, status="kept", reason=conflict.message)
    return replace(differs, status="fixed") if fix else differs


def _deviation(
    current: Current,
    field: str,
    ours: Any,
    theirs: Any,
    status: Literal["differs", "fixed", "kept", "unread"] = "differs",
    reason: str | None = None,
) -> Deviation:
    watched = current.watched
    return Deviation(
        watched.billable, watched.subscription_id, watched.subscription, field, ours, theirs,
        status, reason,
    )  # fmt: skip
