"""Who and what a usage counts against: billable, subscription, period, counter, terms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import RowMapping
from sqlmodel import Session

from aimeter_cli.domain.metering_period import PeriodFacts, metering_period
from aimeter_cli.domain.periods import PeriodRule
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.domain.subscription import covers, in_trial, unchanged_until
from aimeter_cli.repositories.billables import get_or_create_billable
from aimeter_cli.repositories.usages import CounterKey, plan_rows, subscription_rows
from aimeter_cli.settings.table import Settings


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A subscription as recording needs it: plain facts."""

    id: int
    plan_id: int
    is_metered: bool
    rule: PeriodRule
    period: PeriodFacts
    started_at: datetime
    ends_at: datetime | None
    trial_ends_at: datetime | None
    grace_period_ends_at: datetime | None
    expired_at: datetime | None
    paused_at: datetime | None
    is_incomplete: bool

    @classmethod
    def of(cls, row: RowMapping) -> Subscriber:
        return cls(
            row["id"],
            row["plan_id"],
            row["billing_mode"] == "plan",
            PeriodRule(row["period_type"], row["period_alignment"], row["timezone"]),
            PeriodFacts(
                row["period_anchor"],
                row["started_at"],
                row["current_period_start"],
                row["current_period_end"],
            ),
            row["started_at"],
            row["ends_at"],
            row["trial_ends_at"],
            row["grace_period_ends_at"],
            row["expired_at"],
            row["paused_at"],
            row["is_incomplete"],
        )


class Account(NamedTuple):
    """What one usage counts against. ``is_metered`` False: credits, which no plan limits."""

    subscription_id: int
    counter: CounterKey
    is_metered: bool


class Accounts:
    """Looks accounts up for a batch, each billable and plan once."""

    def __init__(self, session: Session, settings: Settings, now: datetime) -> None:
        self._session = session
        self._settings = settings
        self._now = now
        self._subscribers: dict[int, list[Subscriber]] = {}
        self._plans: dict[int, RowMapping] = {}
        self._seen: dict[int, tuple[datetime, datetime, Account]] = {}

    def load(self, refs: Iterable[str], known: dict[str, int]) -> None:
        """Make sure of the billables (``known`` is filled with their ids), read what they have."""
        wanted = set(refs)
        for ref in sorted(wanted - known.keys()):
            billable = get_or_create_billable(self._session, BillableRef.parse(ref), self._now)
            known[ref] = billable.id
        rows = subscription_rows(self._session, {known[ref] for ref in wanted})
        for row in rows:
            self._subscribers.setdefault(row["billable_id"], []).append(Subscriber.of(row))
        plans = plan_rows(self._session, {row["plan_id"] for row in rows})
        self._plans = {plan["id"]: plan for plan in plans}

    def at(self, billable_id: int, moment: datetime) -> Account | None:
        """The account of a usage at ``moment``; None: no subscription covers it."""
        seen = self._seen.get(billable_id)
        if seen is not None and seen[0] <= moment < seen[1]:
            return seen[2]
        subscribers = self._subscribers.get(billable_id, ())
        for subscriber in subscribers:
            if covers(subscriber, moment):
                period = metering_period(subscriber.rule, subscriber.period, moment)
                trial = in_trial(subscriber, moment)
                key = (billable_id, subscriber.plan_id, period.start, period.end, trial)
                account = Account(subscriber.id, key, subscriber.is_metered)
                changes = [unchanged_until(each, moment) for each in subscribers]
                end = min([period.end, *(change for change in changes if change is not None)])
                self._seen[billable_id] = (moment, end, account)
                return account
        return None

    def new_terms(self, key: CounterKey) -> Mapping[str, Any]:
        """The terms that a counter begun now is pinned to (columns of ``ai_usage_counters``)."""
        plan, settings = self._plans[key[1]], self._settings
        usual = plan["overage_behavior"] or settings.overage_behavior
        return {
            "currency": plan["currency"],
            "token_limit": plan["token_limit"],
            "cost_limit": plan["cost_limit"],
            "request_limit": plan["request_limit"],
            "overage_price_per_1k_tokens": plan["overage_price_per_1k_tokens"],
            "overage_markup": settings.overage_markup,
            "overage_behavior": settings.trial_overage_behavior if key[4] else usual,
        }
