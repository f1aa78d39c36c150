"""Subscriptions with their billables and plans."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, FromClause, RowMapping, bindparam, case, or_, update
from sqlmodel import Session, col, select

from aimeter_cli.db.types import UTCDateTime
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.plans import Plan
from aimeter_cli.models.subscriptions import Subscription

Found = tuple[Subscription, Billable, Plan]

_subscriptions = table_of(Subscription)


def plan_id_at(subscriptions: FromClause, moment: Any) -> ColumnElement[int]:
    """``domain.subscription.plan_at`` in SQL, but for the past of which ``is_history`` holds: it
    knows no change but the latest."""
    columns = subscriptions.c
    return case((columns.plan_changes_at <= moment, columns.next_plan_id), else_=columns.plan_id)


_WITH_NAMES = (
    select(Subscription, Billable, Plan)
    .join(Billable, col(Billable.id) == col(Subscription.billable_id))
    .join(Plan, col(Plan.id) == plan_id_at(_subscriptions, bindparam("now", type_=UTCDateTime())))
)
"""With the plan of ``now``."""
_TOUCH_CHANGED = (
    update(_subscriptions)
    .where(
        _subscriptions.c.id == bindparam("subscription"),
        _subscriptions.c.plan_changes_at <= bindparam("now", type_=UTCDateTime()),
        _subscriptions.c.updated_at < _subscriptions.c.plan_changes_at,
    )
    .values(updated_at=bindparam("now", type_=UTCDateTime()))
    .returning(_subscriptions)
)


def live_subscription(session: Session, billable_id: int) -> Subscription | None:
    """The one that has the billable's place, whatever its status is by now."""
    return session.exec(
        select(Subscription).where(
            Subscription.billable_id == billable_id, col(Subscription.is_live)
        )
    ).first()


def find_by_id(session: Session, subscription_id: int, now: datetime) -> Found | None:
    statement = _WITH_NAMES.where(Subscription.id == subscription_id)
    return session.exec(statement, params={"now": now}).first()


def find_by_stripe_id(
    session: Session, stripe_subscription_id: str
) -> tuple[Subscription, Billable] | None:
    return session.exec(
        select(Subscription, Billable)
        .join(Billable, col(Billable.id) == col(Subscription.billable_id))
        .where(Subscription.stripe_subscription_id == stripe_subscription_id)
    ).first()


def lock_subscription(session: Session, subscription: Subscription) -> None:
    """Hold its row until the transaction ends, and read it again. Before its items: handlers of
    events take them in that order, too."""
    session.refresh(subscription, with_for_update=True)


def newest_of(session: Session, ref: BillableRef, now: datetime) -> Found | None:
    """The billable's live subscription, else its latest one."""
    return session.exec(
        _WITH_NAMES.where(Billable.type == ref.type, Billable.external_id == ref.id)
        .order_by(col(Subscription.is_live).desc(), col(Subscription.id).desc())
        .limit(1),
        params={"now": now},
    ).first()


def list_subscriptions(
    session: Session,
    *,
    now: datetime,
    plan: str | None = None,
    billable: BillableRef | None = None,
    live: bool = False,
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
    if live or missing_stripe_ids:
        statement = statement.where(col(Subscription.is_live))
    if missing_stripe_ids:
        statement = statement.where(
            or_(
                col(Billable.stripe_customer_id).is_(None),
                col(Subscription.stripe_subscription_id).is_(None),
            ),
        )
    return session.exec(statement.limit(limit), params={"now": now}).all()


def subscriptions_at_stripe(session: Session, now: datetime) -> Sequence[Found]:
    """Those with a Stripe id that are live, or that a payment would bring back. Oldest first."""
    statement = _WITH_NAMES.where(
        col(Subscription.stripe_subscription_id).is_not(None),
        or_(
            col(Subscription.is_live),
            col(Subscription.expired_at).is_not(None) & col(Subscription.ends_at).is_(None),
        ),
    )
    return session.exec(statement.order_by(col(Subscription.id)), params={"now": now}).all()


def overdue(session: Session, now: datetime, *, after: int, limit: int) -> Sequence[Found]:
    """Live ones whose end, grace or expiry has come, behind row ``after``; held until the
    transaction ends.

    Rows that another process holds are left to it.
    """
    statement = _WITH_NAMES.where(
        col(Subscription.is_live),
        col(Subscription.id) > after,
        or_(
            col(Subscription.ends_at) <= now,
            col(Subscription.grace_period_ends_at) <= now,
            col(Subscription.expired_at) <= now,
        ),
    ).order_by(col(Subscription.id))
    locked = statement.limit(limit).with_for_update(skip_locked=True, of=Subscription)
    return session.exec(locked, params={"now": now}).all()


def touch_changed_plan(session: Session, subscription_id: int, now: datetime) -> RowMapping | None:
    """The subscription, if its plan has changed by ``now`` and it was not written since.

    It is then written: of any number of callers one gets it.
    """
    parameters = {"subscription": subscription_id, "now": now}
    found = session.connection().execute(_TOUCH_CHANGED, parameters)
    return found.mappings().first()


def changed_plans(session: Session, now: datetime, *, after: int, limit: int) -> Sequence[int]:
    """Ids above ``after`` of subscriptions whose plan has changed by ``now`` and that were not
    written since: the first ``limit`` of them."""
    statement = select(Subscription.id).where(
        col(Subscription.plan_changes_at) <= now,
        col(Subscription.updated_at) < col(Subscription.plan_changes_at),
        col(Subscription.id) > after,
    )
    return session.exec(statement.order_by(col(Subscription.id)).limit(limit)).all()
