"""What Stripe has now of the subscriptions that we know: read outside of transactions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlmodel import Session

from aimeter_cli.billing.base import Reply
from aimeter_cli.billing.directory import DirectoryDriver, Object
from aimeter_cli.db.engine import Database
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.domain.sync import Answer
from aimeter_cli.errors import ConfigurationError, NotFound
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.plans import Plan
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.repositories import subscriptions as repository

IN_ARREARS = ("past_due", "unpaid")


@dataclass(frozen=True, slots=True)
class Watched:
    """A subscription of ours as it was before Stripe was asked.

    ``currency``: its billable's where one ``is_set``, else its plan's. ``contact``: the billable's
    e-mail and name, None for one who has been anonymised, and is not named again.
    """

    billable: str
    customer: str | None
    contact: Mapping[str, str | None] | None
    currency: str
    is_set: bool
    subscription_id: int
    subscription: str
    updated_at: datetime
    unpaid_invoices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Current:
    """What Stripe has. None: it is not there, or there is none.

    ``at``: the time before the first request. ``invoices``: those that matter to grace, by id.
    ``unread`` is why something could not be read; the rest then says nothing.
    """

    watched: Watched
    at: datetime
    subscription: Object | None = None
    customer: Object | None = None
    invoices: Mapping[str, Object] = field(default_factory=dict)
    unread: str | None = None


class _Unread(Exception):
    """One of the objects could not be read."""


def watched_subscriptions(
    database: Database, *, now: datetime, billables: Sequence[BillableRef] = ()
) -> list[Watched]:
    """Those of the billables, their latest; without any, everyone that is live or has expired.

    Raises NotFound for a billable whose subscription has no Stripe id.
    """
    with database.read() as session:
        if billables:
            found = [_newest_of(session, ref, now) for ref in dict.fromkeys(billables)]
        else:
            found = list(repository.subscriptions_at_stripe(session, now))
        return [_watched(*each) for each in found]


def watched_by_ids(
    database: Database, stripe_subscription_ids: Iterable[str], *, now: datetime
) -> list[Watched]:
    """Those of them that we know."""
    with database.read() as session:
        rows = [repository.find_by_stripe_id(session, each) for each in stripe_subscription_ids]
        found = [repository.find_by_id(session, row[0].id, now) for row in rows if row is not None]
        return [_watched(*each) for each in found if each is not None]


def _newest_of(session: Session, ref: BillableRef, now: datetime) -> repository.Found:
    newest = repository.newest_of(session, ref, now)
    if newest is None or newest[0].stripe_subscription_id is None:
        raise NotFound(
            f"{ref} has no subscription with a Stripe id",
            hint=f"aimeter subscriptions sync-stripe-ids {ref}",
        )
    return newest


def _watched(row: Subscription, billable: Billable, plan: Plan) -> Watched:
    contact = {"email": billable.email, "name": billable.name}
    return Watched(
        billable.ref, billable.stripe_customer_id,
        contact if billable.anonymized_at is None else None, billable.currency or plan.currency,
        billable.currency is not None, row.id, row.stripe_subscription_id or "", row.updated_at,
        tuple(filter(None, (row.grace_invoice_id, *row.unpaid_invoices))),
    )  # fmt: skip


def read_current(driver: DirectoryDriver, watched: Watched, at: datetime) -> Current:
    """Raises ConfigurationError where the key is refused."""
    try:
        subscription = _read(driver.subscription(watched.subscription))
        named = watched.customer or (subscription or {}).get("customer")
        customer = _read(driver.customer(named)) if isinstance(named, str) else None
        invoices = {each: _read(driver.invoice(each)) for each in _invoices(watched, subscription)}
    except _Unread as unread:
        return Current(watched, at, unread=str(unread))
    there = {each: body for each, body in invoices.items() if body is not None}
    return Current(watched, at, subscription, customer, there)


def _invoices(watched: Watched, subscription: Object | None) -> list[str]:
    """Those that keep it in grace, and the one that should."""
    ids = list(watched.unpaid_invoices)
    if subscription is not None and subscription.get("status") in IN_ARREARS:
        latest: Any = subscription.get("latest_invoice")
        latest = latest.get("id") if isinstance(latest, Mapping) else latest
        if isinstance(latest, str) and latest not in ids:
            ids.append(latest)
    return ids


def _read(answer: Object | Reply) -> Object | None:
    if not isinstance(answer, Reply):
        return answer
    if answer.answer is Answer.GONE:
        return None
    reason = answer.reason or "Stripe gave no reason"
    if answer.answer is Answer.MISCONFIGURED:
        raise ConfigurationError(
            f"Stripe refuses the request: {reason}",
            hint="Check STRIPE_API_KEY (it must read customers, subscriptions and invoices).",
        )
    raise _Unread(reason)
