"""The Stripe ids of a billable and its subscription, set and moved without losing an item."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlmodel import Session

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.references import BillableRef, stripe_id
from aimeter_cli.domain.subscription import status
from aimeter_cli.errors import Conflict, InvalidInput, NotFound
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.repositories.pending import pending_items
from aimeter_cli.repositories.subscriptions import find_by_stripe_id, lock_subscription, newest_of
from aimeter_cli.services.billables import billable_named
from aimeter_cli.services.stripe_customers import move_pending, set_customer
from aimeter_cli.services.subscriptions.plan_changes import tell_plan_change
from aimeter_cli.services.subscriptions.view import SubscriptionView, with_next_plan

NOTHING_KNOWN: Mapping[str, Any] = MappingProxyType(
    {
        "stripe_updated_at": None,
        "draft_invoice_id": None,
        "draft_period_end": None,
        "grace_invoice_id": None,
        "grace_period_ends_at": None,
        "unpaid_invoices": {},
        "recovered_at": None,
        "renews_at": None,
        "current_period_start": None,
        "current_period_end": None,
    }
)
"""What is stored of a Stripe subscription, as long as nothing is known of it."""


def set_stripe_ids(
    database: Database,
    ref: BillableRef,
    *,
    now: datetime,
    customer: str | None = None,
    subscription: str | None = None,
    force: bool = False,
    dry_run: bool = False,
) -> SubscriptionView:
    """Set what is given; an id that is set already changes only while nothing is pending.

    Raises NotFound, InvalidInput for another shape of id, and Conflict for an id that belongs to
    another, for a subscription that has ended, or while an item is pending (``move_pending`` says
    what ``force`` moves). What was known of a Stripe subscription that is replaced is forgotten.
    """
    if customer is None and subscription is None:
        raise InvalidInput("give --customer, --subscription or both")
    with database.write(dry_run=dry_run) as session:
        billable = billable_named(session, ref, lock=True)
        found = newest_of(session, ref, now)
        if found is None:
            raise NotFound(
                f"{ref} has no subscription",
                hint=f"aimeter billables update {ref} --stripe-customer cus_… sets the customer.",
            )
        lock_subscription(session, found[0])
        if customer is not None:
            set_customer(session, billable, customer, option="--customer", force=force, now=now)
        if subscription is not None:
            set_subscription(session, found[0], subscription, now, force=force)
        return with_next_plan(session, SubscriptionView(*found, now))


def free_subscription_id(
    session: Session, text: str, option: str, own: Subscription | None = None
) -> str:
    """The id, if its shape is right and no other subscription has it."""
    wanted = stripe_id(text, "sub", option)
    taken = find_by_stripe_id(session, wanted)
    if taken is not None and (own is None or taken[0].id != own.id):
        other, billable = taken
        raise Conflict(
            f"the Stripe subscription {wanted} belongs to the subscription {other.id} "
            f"of {billable.ref}"
        )
    return wanted


def set_subscription(
    session: Session, row: Subscription, text: str, now: datetime, *, force: bool
) -> None:
    """Raises InvalidInput, Conflict, as ``set_stripe_ids`` does."""
    wanted = free_subscription_id(session, text, "--subscription", row)
    current = row.stripe_subscription_id
    if current == wanted:
        return
    if status(row, now) == "canceled":
        raise Conflict(
            f"the subscription {row.id} has ended: another Stripe subscription is another one here",
            hint=f"aimeter subscriptions create --stripe-subscription {wanted} makes it.",
        )
    if current is not None:
        items = pending_items(session, row.billable_id, row.id)
        what = f"the Stripe subscription ({current})"
        move_pending(session, items, what, force=force, now=now)
        for name, value in NOTHING_KNOWN.items():
            setattr(row, name, copy(value))
    tell_plan_change(session, row.id, now)
    row.stripe_subscription_id = wanted
    row.updated_at = now
    session.add(row)
    session.flush()
