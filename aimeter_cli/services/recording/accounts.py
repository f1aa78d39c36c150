"""Who and what a usage counts against: billable, subscription, period, counter, terms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from aimeter_cli.domain.periods import Period
from aimeter_cli.domain.quota import OverageBehavior, Terms
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.domain.subscription import covers, in_trial
from aimeter_cli.models.plans import Plan
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.repositories.billables import get_or_create_billable
from aimeter_cli.repositories.usages import subscriptions_of
from aimeter_cli.settings.table import Settings

CounterKey = tuple[int, int, datetime, datetime]


@dataclass(frozen=True, slots=True)
class Account:
    """What one usage counts against: ``counter`` is (billable, plan, period start, end)."""

    subscription: Subscription
    counter: CounterKey
    trial: bool


class Accounts:
    """Looks accounts up for a batch, each billable and plan once."""

    def __init__(self, session: Session, settings: Settings, now: datetime) -> None:
        self._session = session
        self._settings = settings
        self._now = now
        self._subscriptions: dict[int, list[Subscription]] = {}
        self._plans: dict[int, Plan] = {}
        self._periods: dict[int, Period] = {}

    def load(self, refs: Iterable[str], known: dict[str, int]) -> None:
        """Make sure of the billables (``known`` is filled with their ids), read what they have."""
        wanted = set(refs)
        for ref in sorted(wanted - known.keys()):
            billable = get_or_create_billable(self._session, BillableRef.parse(ref), self._now)
            known[ref] = billable.id
        self._subscriptions = subscriptions_of(self._session, [known[ref] for ref in wanted])
        plan_ids = {s.plan_id for found in self._subscriptions.values() for s in found}
        plans = self._session.exec(select(Plan).where(col(Plan.id).in_(plan_ids)))
        self._plans = {plan.id: plan for plan in plans}

    def at(self, billable_id: int, moment: datetime) -> Account | None:
        """The account of a usage at ``moment``; None: no subscription covers it."""
        for subscription in self._subscriptions.get(billable_id, ()):
            if covers(subscription, moment):
                period = self._periods.get(subscription.id)
                if period is None or moment not in period:
                    period = subscription.period_at(moment)
                    self._periods[subscription.id] = period
                key = (billable_id, subscription.plan_id, period.start, period.end)
                return Account(subscription, key, in_trial(subscription, moment))
        return None

    def currency(self, account: Account) -> str:
        return self._plans[account.subscription.plan_id].currency

    def new_terms(self, key: CounterKey) -> Mapping[str, Any]:
        """The terms that a counter begun now is pinned to (columns of ``ai_usage_counters``)."""
        plan = self._plans[key[1]]
        return {
            "currency": plan.currency,
            "token_limit": plan.token_limit,
            "cost_limit": plan.cost_limit,
            "request_limit": plan.request_limit,
            "overage_price_per_1k_tokens": plan.overage_price_per_1k_tokens,
            "overage_markup": self._settings.overage_markup,
            "overage_behavior": plan.overage_behavior or self._settings.overage_behavior,
        }

    def behavior(self, account: Account, terms: Terms) -> OverageBehavior:
        return self._settings.trial_overage_behavior if account.trial else terms.behavior
