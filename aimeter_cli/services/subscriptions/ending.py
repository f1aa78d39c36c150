"""How subscriptions end: cancelled by an operator, or expired because grace ran out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlmodel import Session

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.events import EventName
from aimeter_cli.domain.periods import iso
from aimeter_cli.domain.subscription import is_over, status
from aimeter_cli.errors import Conflict, InvalidInput
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.repositories.outbox import emit
from aimeter_cli.repositories.subscriptions import overdue
from aimeter_cli.services.subscriptions.plan_changes import tell_plan_change, tell_plan_changes
from aimeter_cli.services.subscriptions.view import SubscriptionView, found_by, with_next_plan

_BATCH = 100


def cancel_subscription(
    database: Database,
    reference: str,
    *,
    now: datetime,
    at: datetime | None = None,
    at_period_end: bool = False,
    dry_run: bool = False,
) -> SubscriptionView:
    """End it at ``at`` (default: now), or when the current period ends.

    Raises NotFound, InvalidInput for a time before its start, Conflict if it is over already.
    """
    if at is not None and at_period_end:
        raise InvalidInput("--at and --at-period-end contradict each other")
    with database.write(dry_run=dry_run) as session:
        subscription, billable, plan = found_by(session, reference, now)
        tell_plan_change(session, subscription.id, now)
        session.refresh(subscription, with_for_update={"key_share": True})
        if is_over(subscription, now):
            told = status(subscription, now)
            raise Conflict(f"the subscription {reference} is over already: {told}")
        end = _end(subscription, now, at, at_period_end=at_period_end)
        # Cancelled before it starts, it never begins: no usage is ever metered against it.
        subscription.started_at = min(subscription.started_at, end)
        subscription.ends_at = end
        subscription.is_live = end > now
        subscription.updated_at = now
        session.add(subscription)
        session.flush()
        return with_next_plan(session, SubscriptionView(subscription, billable, plan, now))


def expire_subscriptions(
    database: Database,
    *,
    now: datetime,
    dry_run: bool = False,
    advance: Callable[[int], object] = lambda _: None,
) -> list[SubscriptionView]:
    """Close every live subscription that is over; those whose grace ran out expire. ``advance`` is
    told how many more are done.

    Each emits SubscriptionExpired once; plans that have changed meanwhile are told, too. Safe to
    run from many processes at once, to kill and to repeat: ``_BATCH`` of them share a transaction.
    """
    told: int | None = 0
    while told is not None:
        with database.write(dry_run=dry_run) as session:
            told = tell_plan_changes(session, now, after=told, limit=_BATCH)
    closed: list[SubscriptionView] = []
    last = 0
    while True:
        with database.write(dry_run=dry_run) as session:
            found = overdue(session, now, after=last, limit=_BATCH)
            for subscription, _, _ in found:
                close_over(session, subscription, now)
        closed += [SubscriptionView(*each, now) for each in found]
        advance(len(found))
        if len(found) < _BATCH:
            return closed
        last = found[-1][0].id


def close_over(session: Session, subscription: Subscription, now: datetime) -> None:
    """Take a subscription that is over out of its billable's place.

    Grace that ran out makes it expired, as of the end of the grace, with SubscriptionExpired;
    one that was marked as expired or canceled before only loses its place.
    """
    tell_plan_change(session, subscription.id, now)
    grace = subscription.grace_period_ends_at
    if status(subscription, now) == "expired" and subscription.expired_at is None:
        subscription.expired_at = grace
        emit(
            session,
            EventName.SUBSCRIPTION_EXPIRED,
            billable_id=subscription.billable_id,
            now=now,
            payload={
                "subscription_id": subscription.id,
                "stripe_subscription_id": subscription.stripe_subscription_id,
                "plan_id": subscription.plan_id,
                "started_at": iso(subscription.started_at),
                "expired_at": iso(grace) if grace is not None else None,
                "invoice_id": subscription.grace_invoice_id,
                "reason": "payment_failed",
            },
        )
    subscription.is_live = False
    subscription.updated_at = now
    session.add(subscription)
    session.flush()


def _end(
    subscription: Subscription, now: datetime, at: datetime | None, *, at_period_end: bool
) -> datetime:
    if at_period_end:
        if subscription.started_at > now:
            raise InvalidInput("--at-period-end: the subscription has not started")
        return subscription.period_at(now).end
    if at is not None and at < subscription.started_at:
        start = iso(subscription.started_at)
        raise InvalidInput(f"--at: {iso(at)} lies before the subscription's start, {start}")
    return at or now
