"""Who and what a usage counts against: billable, subscription, plan, period, counter, terms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import RowMapping
from sqlmodel import Session

from aimeter_cli.domain.metering_period import PeriodFacts, metering_period
from aimeter_cli.domain.overrides import Override, override_at
from aimeter_cli.domain.periods import Period, PeriodRule
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.domain.subscription import (
    covers,
    in_trial,
    plan_at,
    plans_before,
    unchanged_until,
)
from aimeter_cli.domain.usage import UsageLine
from aimeter_cli.repositories.billables import get_or_create_billable
from aimeter_cli.repositories.overrides import overrides_of
from aimeter_cli.repositories.usages import CounterKey, account_rows, plan_rows
from aimeter_cli.settings.table import Settings


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A subscription as recording needs it: plain facts."""

    id: int
    plan_id: int
    next_plan_id: int | None
    plan_changes_at: datetime | None
    plan_history: Sequence[Mapping[str, Any]]
    updated_at: datetime
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
    def of(cls, row: Mapping[Any, Any]) -> Subscriber:
        return cls(
            row["id"],
            row["plan_id"],
            row["next_plan_id"],
            row["plan_changes_at"],
            row["plan_history"],
            row["updated_at"],
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

    def period_at(self, moment: datetime) -> Period:
        """The metering period that holds ``moment``."""
        return metering_period(self.rule, self.period, moment)


class Account(NamedTuple):
    """What one usage counts against. ``is_metered`` False: credits, which no plan limits.

    ``override``: the limits that hold for it instead of the plan's.
    """

    subscription_id: int
    counter: CounterKey
    is_metered: bool
    override: Override | None = None


def counter_key(billable_id: int, subscriber: Subscriber, moment: datetime) -> CounterKey:
    """The counter of what a subscriber uses at ``moment``."""
    period, plan_id = subscriber.period_at(moment), plan_at(subscriber, moment)
    return billable_id, plan_id, period.start, period.end, in_trial(subscriber, moment)


def plan_terms(plan: Mapping[Any, Any], settings: Settings, *, is_trial: bool) -> dict[str, Any]:
    """The terms that a counter begun now is pinned to (columns of ``ai_usage_counters``)."""
    usual = plan["overage_behavior"] or settings.overage_behavior
    return {
        "currency": plan["currency"],
        "token_limit": plan["token_limit"],
        "cost_limit": plan["cost_limit"],
        "request_limit": plan["request_limit"],
        "overage_price_per_1k_tokens": plan["overage_price_per_1k_tokens"],
        "overage_markup": settings.overage_markup,
        "overage_behavior": settings.trial_overage_behavior if is_trial else usual,
    }


class Accounts:
    """Looks accounts up for a batch, each billable and plan once. ``ids``: of the billables."""

    def __init__(self, session: Session, settings: Settings, now: datetime) -> None:
        self._session = session
        self._settings = settings
        self._now = now
        self.ids: dict[str, int] = {}
        self._subscribers: dict[int, list[Subscriber]] = {}
        self._overrides: dict[int, Sequence[Override]] = {}
        self._plans: dict[int, RowMapping] = {}
        self._seen: dict[int, tuple[datetime, datetime, Account]] = {}

    def load(self, lines: Iterable[UsageLine]) -> None:
        """Make sure of the billables, and read what they have."""
        wanted: set[str] = set()
        since = self._now
        for line in lines:
            wanted.add(line.billable)
            since = min(since, line.occurred_at)
        self._read(wanted, since)
        missing = sorted(wanted - self.ids.keys())
        if missing:
            for ref in missing:
                get_or_create_billable(self._session, BillableRef.parse(ref), self._now)
            self._read(missing, since)

    def _read(self, refs: Iterable[str], since: datetime) -> None:
        overridden: set[int] = set()
        for row in account_rows(self._session, [BillableRef.parse(ref) for ref in refs], since):
            billable_id = row["billable_id"]
            self.ids[f"{row['type']}:{row['external_id']}"] = billable_id
            if row["id"] is not None:
                self._subscribers.setdefault(billable_id, []).append(Subscriber.of(row))
                if row["has_overrides"]:
                    overridden.add(billable_id)
        if overridden:
            self._overrides |= overrides_of(self._session, overridden, since)

    def at(self, billable_id: int, moment: datetime) -> Account | None:
        """The account of a usage at ``moment``; None: no subscription covers it."""
        seen = self._seen.get(billable_id)
        if seen is not None and seen[0] <= moment < seen[1]:
            return seen[2]
        subscribers = self._subscribers.get(billable_id, ())
        for subscriber in subscribers:
            if covers(subscriber, moment):
                key = counter_key(billable_id, subscriber, moment)
                overrides = self._overrides.get(billable_id, ())
                override = override_at(overrides, moment)
                account = Account(subscriber.id, key, subscriber.is_metered, override)
                changes = [unchanged_until(each, moment) for each in subscribers]
                changes += [until for _, until in plans_before(subscriber)]
                changes += [edge for each in overrides for edge in (each.starts_at, each.ends_at)]
                later = [change for change in changes if change is not None and change > moment]
                self._seen[billable_id] = (moment, min([key[3], *later]), account)
                return account
        return None

    def new_terms(self, key: CounterKey) -> Mapping[str, Any]:
        """The terms of a counter begun now."""
        return plan_terms(self.plan(key[1]), self._settings, is_trial=key[4])

    def plan(self, plan_id: int) -> RowMapping:
        """Read when it is needed first, which is for new counters and events only."""
        if plan_id not in self._plans:
            [self._plans[plan_id]] = plan_rows(self._session, [plan_id])
        return self._plans[plan_id]

    def changed_plan(self) -> Iterator[int]:
        """Subscriptions whose plan has changed by now, and nobody has written them since."""
        for subscribers in self._subscribers.values():
            for each in subscribers:
                change = each.plan_changes_at
                if change is not None and each.updated_at < change <= self._now:
                    yield each.id
