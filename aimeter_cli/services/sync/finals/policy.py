"""Waives or holds what is pending when a subscription ends, where that is the policy."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session

from aimeter_cli.domain.endings import ended_at, ending
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.repositories import final_invoices as repo
from aimeter_cli.services.sync.claimed import Context
from aimeter_cli.services.sync.events import emit_failed
from aimeter_cli.services.sync.settle import UNPAID

WAIVED = "on_subscription_end"


@dataclass(slots=True)
class Ended:
    """How many overages were given up, and how many wait for an operator."""

    waived: int = 0
    held: int = 0


def apply_policy(context: Context, billable_id: int | None) -> Ended:
    """One transaction for each subscription that has ended with something pending.

    What was held because its subscription ended unpaid is free again once that goes on.
    """
    result = Ended()
    _take_back(context, billable_id)
    with context.database.read() as session:
        found = repo.ended_with_pending(session, context.now, billable_id)
        endings = {each.id: _ending(context, each) for each in found}
    for subscription_id, what in endings.items():
        if what not in ("hold", "waive"):
            continue
        with context.write() as session:
            subscription = session.get_one(Subscription, subscription_id)
            now_is = _ending(context, subscription)
            if now_is == "hold":
                result.held += _hold(session, context, subscription)
            elif now_is == "waive":
                result.waived += _waive(session, context, subscription)
    return result


def _ending(context: Context, subscription: Subscription) -> str | None:
    return ending(subscription, context.now, context.settings.on_subscription_end)


def _hold(session: Session, context: Context, subscription: Subscription) -> int:
    """On its item an overage stays as it is at Stripe: no invoice takes it from there."""
    end = ended_at(subscription, context.now)
    values = {"status": "held", "reason": UNPAID, "last_error": UNPAID, "run_id": context.run_id}
    held = repo.give_up_on_items(session, subscription.id, end, context.now, **values)
    held += repo.give_up_unsent(session, subscription.id, end, context.now, **values)
    if held:
        emit_failed(session, context, subscription.billable_id, held, UNPAID)
    return len(held)


def _take_back(context: Context, billable_id: int | None) -> None:
    with context.database.read() as session:
        ids = repo.held_though_it_goes_on(session, UNPAID, context.now, billable_id)
    if ids:
        with context.write() as session:
            repo.take_back(session, ids, UNPAID, context.now)


def _waive(session: Session, context: Context, subscription: Subscription) -> int:
    end = ended_at(subscription, context.now)
    values = {"status": "waived", "reason": WAIVED, "run_id": context.run_id, "synced_at": None}
    waived = repo.give_up_on_items(session, subscription.id, end, context.now, **values)
    repo.soil_items_of(session, waived)
    waived += repo.give_up_unsent(session, subscription.id, end, context.now, **values)
    return len(waived)
