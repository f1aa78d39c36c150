"""Subscriptions as they are seen: stored facts, and what follows from them at a moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from sqlmodel import Session

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.periods import Period
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.domain.subscription import Status, is_over, status
from aimeter_cli.errors import InvalidInput, NotFound
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.plans import Plan
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.repositories import subscriptions as repository
from aimeter_cli.repositories.plans import find_plan, plan_slugs
from aimeter_cli.services.suggestions import did_you_mean


@dataclass(frozen=True, slots=True)
class SubscriptionView:
    """A subscription at ``now``. The period's edges are Stripe's where they are stored."""

    subscription: Subscription
    billable: Billable
    plan: Plan
    now: datetime

    @property
    def status(self) -> Status:
        return status(self.subscription, self.now)

    @property
    def renews_at(self) -> datetime | None:
        """Stored, else the end of the current period; None once it is to end before."""
        stored = self.subscription.renews_at
        if stored is not None or self._period is None:
            return stored
        ends = self.subscription.ends_at
        return None if ends is not None and ends <= self._period.end else self._period.end

    @property
    def current_period_start(self) -> datetime | None:
        stored = self.subscription.current_period_start
        return stored or (self._period.start if self._period is not None else None)

    @property
    def current_period_end(self) -> datetime | None:
        stored = self.subscription.current_period_end
        return stored or (self._period.end if self._period is not None else None)

    @property
    def _period(self) -> Period | None:
        """The metering period at ``now``; None before it starts and after it is over."""
        if self.subscription.started_at > self.now or is_over(self.subscription, self.now):
            return None
        return self.subscription.period_at(self.now)


@dataclass(frozen=True, slots=True)
class SubscriptionFilter:
    """Which subscriptions to list; None does not restrict."""

    status: Status | None = None
    plan: str | None = None
    billable: BillableRef | None = None
    missing_stripe_ids: bool = False
    limit: int | None = None


def list_subscriptions(
    database: Database, wanted: SubscriptionFilter, *, now: datetime
) -> list[SubscriptionView]:
    """Oldest first. Raises NotFound for an unknown plan."""
    with database.read() as session:
        if wanted.plan is not None and find_plan(session, wanted.plan) is None:
            hint = did_you_mean(wanted.plan, plan_slugs(session), "aimeter plans list --all")
            raise NotFound(f"there is no plan {wanted.plan}", hint=hint)
        found = repository.list_subscriptions(
            session,
            plan=wanted.plan,
            billable=wanted.billable,
            missing_stripe_ids=wanted.missing_stripe_ids,
            # The status is derived: rows that do not match must not count.
            limit=wanted.limit if wanted.status is None else None,
        )
        views = (SubscriptionView(*row, now) for row in found)
        matching = (view for view in views if wanted.status is None or view.status == wanted.status)
        return list(islice(matching, wanted.limit))


def show_subscription(database: Database, reference: str, *, now: datetime) -> SubscriptionView:
    """By ``TYPE:ID`` of its billable, or by its own number. Raises NotFound, InvalidInput."""
    with database.read() as session:
        return SubscriptionView(*found_by(session, reference), now)


def found_by(session: Session, reference: str) -> repository.Found:
    """Raises NotFound, InvalidInput."""
    if reference.isascii() and reference.isdigit() and len(reference) < 19:
        found = repository.find_by_id(session, int(reference))
        hint = "aimeter subscriptions list"
    elif ":" in reference:
        found = repository.newest_of(session, BillableRef.parse(reference))
        hint = f"aimeter subscriptions create --billable {reference} --plan SLUG"
    else:
        raise InvalidInput(f"{reference!r} is neither a billable such as user:42 nor a number")
    if found is None:
        raise NotFound(f"there is no subscription {reference}", hint=hint)
    return found
