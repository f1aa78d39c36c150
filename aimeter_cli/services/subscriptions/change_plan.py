"""Put a subscription on another plan, now or when its metering period ends.

Counters are kept by plan: nothing is prorated, and coming back finds what was used.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sqlmodel import Session

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.periods import iso
from aimeter_cli.domain.plan_history import last_change, plan_spans, with_plan
from aimeter_cli.domain.subscription import is_over, plan_at, status
from aimeter_cli.errors import Conflict
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.plans import Plan
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.repositories.pending import unsettled_currencies
from aimeter_cli.services.plans import plan_named
from aimeter_cli.services.subscriptions.plan_changes import emit_plan_change, tell_plan_change
from aimeter_cli.services.subscriptions.view import SubscriptionView, found_by, with_next_plan

When = Literal["now", "renewal"]


def change_plan(
    database: Database,
    reference: str,
    to: str,
    *,
    now: datetime,
    at: When = "now",
    from_plan: str | None = None,
    dry_run: bool = False,
) -> SubscriptionView:
    """``to`` is a slug; ``from_plan`` must be the plan of now, if it is given.

    A change that is set for the renewal takes effect by itself; the plan of now, given as ``to``,
    takes it back. Raises NotFound, InvalidInput, and Conflict where nothing would change, the plan
    is archived, the subscription is over or ends before, or currencies would mix.
    """
    with database.write(dry_run=dry_run) as session:
        subscription, billable, plan = found_by(session, reference, now)
        tell_plan_change(session, subscription.id, now)
        session.refresh(subscription, with_for_update={"key_share": True})
        plan = session.get_one(Plan, plan_at(subscription, now))
        _check_current(subscription, plan, reference, from_plan, now)
        target = plan_named(session, to)
        spans = with_plan(plan_spans(subscription), plan.id, now)  # what was to come is replaced
        if target.id == plan.id:
            _check_to_come(subscription, plan, reference, now)
        else:
            _check_target(session, billable, target)
            moment = now if at == "now" else _renewal(subscription, now)
            spans = with_plan(spans, target.id, moment)
        subscription.sqlmodel_update(last_change(spans))
        subscription.updated_at = now
        session.add(subscription)
        session.flush()
        if target.id != plan.id and at == "now":
            emit_plan_change(
                session, billable.id, subscription.id, subscription.stripe_subscription_id,
                (plan.id, target.id), now, now,
            )  # fmt: skip
            plan = target
        return with_next_plan(session, SubscriptionView(subscription, billable, plan, now))


def _check_current(
    subscription: Subscription, plan: Plan, reference: str, from_plan: str | None, now: datetime
) -> None:
    if is_over(subscription, now):
        raise Conflict(f"the subscription {reference} is over: {status(subscription, now)}")
    if from_plan is not None and plan.slug != from_plan:
        raise Conflict(f"the subscription {reference} is on the plan {plan.slug}, not {from_plan}")


def _check_to_come(subscription: Subscription, plan: Plan, reference: str, now: datetime) -> None:
    """There is a change to take back."""
    if subscription.plan_changes_at is None or subscription.plan_changes_at <= now:
        raise Conflict(f"the subscription {reference} is on the plan {plan.slug} already")


def _check_target(session: Session, billable: Billable, target: Plan) -> None:
    if not target.is_active:
        raise Conflict(
            f"the plan {target.slug} is archived: it takes no new subscriptions",
            hint=f"aimeter plans archive {target.slug} --undo",
        )
    if billable.currency is not None:
        return  # every overage is converted into it
    others = unsettled_currencies(session, billable.id) - {target.currency}
    if others:
        raise Conflict(
            f"{billable.ref} has overage in {', '.join(sorted(others))} that is not invoiced yet, "
            f"and the plan {target.slug} is in {target.currency}: Stripe takes one currency per "
            "customer",
            hint=f"Wait for the invoice, or aimeter billables update {billable.ref} --currency "
            f"{min(others)}: everything is converted into it.",
        )


def _renewal(subscription: Subscription, now: datetime) -> datetime:
    """The end of the metering period of ``now``."""
    if subscription.started_at > now:
        raise Conflict(
            f"the subscription starts on {iso(subscription.started_at)} only",
            hint="Change its plan with --at now.",
        )
    renewal = subscription.period_at(now).end
    if subscription.ends_at is not None and subscription.ends_at <= renewal:
        raise Conflict(f"the subscription ends on {iso(subscription.ends_at)}: it does not renew")
    return renewal
