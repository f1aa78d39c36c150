"""Subscriptions with their billables and plans."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import or_
from sqlmodel import Session, col, select

from aimeter_cli.domain.references import BillableRef
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.plans import Plan
from aimeter_cli.models.subscriptions import Subscription

Found = tuple[Subscription, Billable, Plan]

_WITH_NAMES = (
    select(Subscription, Billable, Plan)
    .join(Billable, col(Billable.id) == col(Subscription.billable_id))
    .join(Plan, col(Plan.id) == col(Subscription.plan_id))
)


def live_subscription(session: Session, billable_id: int) -> Subscription | None:
    """The one that has the billable's place, whatever its status is by now."""
    return session.exec(
        select(Subscription).where(
            Subscription.billable_id == billable_id, col(Subscription.is_live)
        )
    ).first()


def find_by_id(session: Session, subscription_id: int) -> Found | None:
    return session.exec(_WITH_NAMES.where(Subscription.id == subscription_id)).first()


def find_by_stripe_id(session: Session, stripe_subscription_id: str) -> Found | None:
    return session.exec(
        _WITH_NAMES.where(Subscription.stripe_subscription_id == stripe_subscription_id)
    ).first()


def newest_of(session: Session, ref: BillableRef) -> Found | None:
    """The billable's live subscription, else its latest one."""
    return session.exec(
        _WITH_NAMES.where(Billable.type == ref.type, Billable.external_id == ref.id)
        .order_by(col(Subscription.is_live).desc(), col(Subscription.id).desc())
        .limit(1)
    ).first()


def list_subscriptions(
    session: Session,
    *,
    plan: str | None = None,
    billable: BillableRef | None = None,
    missing_stripe_ids: bool = False,
    limit: int | None = None,
) -> Sequence[Found]:
    """Oldest first. ``missing_stripe_ids``: live ones without a customer or a subscription id."""
    statement = _WITH_NAMES.order_by(col(Subscription.id))
    if plan is not None:
        statement = statement.where(Plan.slug == plan)
    if billable is not None:
        statement = statement.where(
            Billable.type == billable.type, Billable.external_id == billable.id
        )
    if missing_stripe_ids:
        statement = statement.where(
            col(Subscription.is_live),
            or_(
                col(Billable.stripe_customer_id).is_(None),
                col(Subscription.stripe_subscription_id).is_(None),
            ),
        )
    return session.exec(statement.limit(limit)).all()


def overdue(session: Session, now: datetime) -> Sequence[Found]:
    """Live ones whose end, grace or expiry has come, held until the transaction ends.

    Rows that another process holds are left to it.
    """
    statement = _WITH_NAMES.where(
        col(Subscription.is_live),
        or_(
            col(Subscription.ends_at) <= now,
            col(Subscription.grace_period_ends_at) <= now,
            col(Subscription.expired_at) <= now,
        ),
    ).order_by(col(Subscription.id))
    locked = statement.with_for_update(skip_locked=True, of=Subscription)
    return session.exec(locked).all()
