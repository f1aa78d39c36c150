"""Put a billable on a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.periods import PeriodRule, iso
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.domain.subscription import BillingMode, is_over, status
from aimeter_cli.errors import Conflict, InvalidInput
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.plans import Plan
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.repositories.billables import find_billable, get_or_create_billable
from aimeter_cli.repositories.subscriptions import live_subscription
from aimeter_cli.services.plans import plan_named
from aimeter_cli.services.stripe_customers import set_customer
from aimeter_cli.services.subscriptions.ending import close_over
from aimeter_cli.services.subscriptions.stripe_ids import free_subscription_id
from aimeter_cli.services.subscriptions.view import SubscriptionView


@dataclass(frozen=True, slots=True)
class NewSubscription:
    """What ``create_subscription`` is told; ``rule`` is how its time is cut into periods."""

    billable: BillableRef
    plan: str
    rule: PeriodRule
    mode: BillingMode = "plan"
    started_at: datetime | None = None
    renews_at: datetime | None = None
    trial_days: int | None = None
    stripe_customer: str | None = None
    stripe_subscription: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)


def create_subscription(
    database: Database, new: NewSubscription, *, now: datetime, dry_run: bool = False
) -> SubscriptionView:
    """Make the subscription, its billable too if it is new, and close what is over.

    Raises NotFound for the plan; Conflict if the plan is archived, a subscription is still
    running, or a Stripe id is taken; InvalidInput for times out of order.
    """
    try:
        with database.write(dry_run=dry_run) as session:
            return made_in(session, new, now)
    except IntegrityError:
        raise Conflict(
            f"another process has just changed the subscription of {new.billable}",
            hint=f"aimeter subscriptions show {new.billable}",
        ) from None


def made_in(session: Session, new: NewSubscription, now: datetime) -> SubscriptionView:
    """The same in a transaction of the caller's; IntegrityError: another process was quicker."""
    plan = plan_named(session, new.plan)
    if not plan.is_active:
        raise Conflict(
            f"the plan {plan.slug} is archived: it takes no new subscriptions",
            hint=f"aimeter plans archive {plan.slug} --undo",
        )
    billable = get_or_create_billable(session, new.billable, now)
    find_billable(session, new.billable, lock=True)
    _make_room(session, billable, now)
    subscription = _subscription(session, new, billable, plan, now)
    if new.stripe_customer is not None:
        option = "--stripe-customer"
        set_customer(session, billable, new.stripe_customer, option=option, force=False, now=now)
    session.add(subscription)
    session.flush()
    return SubscriptionView(subscription, billable, plan, now)


def _make_room(session: Session, billable: Billable, now: datetime) -> None:
    running = live_subscription(session, billable.id)
    if running is None:
        return
    if is_over(running, now):
        close_over(session, running, now)
        return
    raise Conflict(
        f"{billable.ref} has a subscription already: {running.id}, {status(running, now)}",
        hint=f"End it first: aimeter subscriptions cancel {billable.ref}",
    )


def _subscription(
    session: Session, new: NewSubscription, billable: Billable, plan: Plan, now: datetime
) -> Subscription:
    started = new.started_at or now
    renews = new.renews_at
    if renews is not None and renews <= started:
        raise InvalidInput(
            f"--renews-at: {iso(renews)} does not lie after the start, {iso(started)}"
        )
    trial_days = plan.trial_days if new.trial_days is None else new.trial_days
    stripe_subscription = None
    if new.stripe_subscription is not None:
        option = "--stripe-subscription"
        stripe_subscription = free_subscription_id(session, new.stripe_subscription, option)
    return Subscription(
        billable_id=billable.id,
        plan_id=plan.id,
        billing_mode=new.mode,
        started_at=started,
        renews_at=renews,
        trial_ends_at=started + timedelta(days=trial_days) if trial_days else None,
        period_type=new.rule.type,
        period_alignment=new.rule.alignment,
        timezone=new.rule.timezone,
        period_anchor=renews or started,
        current_period_start=started if renews else None,
        current_period_end=renews,
        stripe_subscription_id=stripe_subscription,
        meta=dict(new.meta),
        created_at=now,
        updated_at=now,
    )
