"""PlanChanged, told once when a change that was set for a renewal has taken effect.

The change needs no clock: ``domain.subscription.plan_at`` knows the plan of any moment. Whoever
writes the subscription next tells of it, be it a recording, ``subscriptions expire`` or a webhook:
``updated_at`` lies before the change until then.
"""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session

from aimeter_cli.domain.events import EventName
from aimeter_cli.domain.periods import iso
from aimeter_cli.repositories import subscriptions as repository
from aimeter_cli.repositories.outbox import emit
from aimeter_cli.repositories.plans import slugs_by_id


def tell_plan_change(session: Session, subscription_id: int, now: datetime) -> bool:
    """Emit PlanChanged if a change has come that nobody told yet; whether it was so."""
    changed = repository.touch_changed_plan(session, subscription_id, now)
    if changed is None:
        return False
    emit_plan_change(
        session, changed["billable_id"], subscription_id, changed["stripe_subscription_id"],
        (changed["plan_id"], changed["next_plan_id"]), changed["plan_changes_at"], now,
    )  # fmt: skip
    return True


def tell_plan_changes(session: Session, now: datetime, *, after: int, limit: int) -> int | None:
    """The same for the next ``limit`` subscriptions; the last one's id, None if none is left."""
    due = repository.changed_plans(session, now, after=after, limit=limit)
    for subscription_id in due:
        tell_plan_change(session, subscription_id, now)
    return due[-1] if len(due) == limit else None


def emit_plan_change(
    session: Session,
    billable_id: int,
    subscription_id: int,
    stripe_subscription_id: str | None,
    plans: tuple[int, int],
    effective_at: datetime,
    now: datetime,
) -> None:
    """``plans``: the ids of the one before and the one after."""
    slugs = slugs_by_id(session, plans)
    payload = {
        "subscription_id": subscription_id,
        "stripe_subscription_id": stripe_subscription_id,
        "previous_plan": slugs[plans[0]],
        "plan": slugs[plans[1]],
        "effective_at": iso(effective_at),
    }
    emit(session, EventName.PLAN_CHANGED, billable_id=billable_id, now=now, payload=payload)
