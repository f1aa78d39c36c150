"""Subscriptions as they are seen: stored facts, and what follows from them at a moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

from sqlmodel import Session

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.periods import Period
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.domain.subscription import Status, is_over, plan_at, status
from aimeter_cli.errors import InvalidInput, NotFound
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.plans import Plan
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.repositories import subscriptions as repository
from aimeter_cli.repositories.billables import find_billable
from aimeter_cli.repositories.plans import find_plan, plan_slugs, slugs_by_id
from aimeter_cli.services.names import no_billable
from aimeter_cli.services.suggestions import did_you_mean


@dataclass(frozen=True, slots=True)
class SubscriptionView:
    """A subscription at ``now``. The period's edges are Stripe's where they are stored.

    ``plan`` is that of ``now``, ``next_plan`` the slug of the one from ``plan_changes_at`` on.
    """

    subscription: Subscription
    billable: Billable
    plan: Plan
    now: datetime
    next_plan: str | None = None

    @property
    def status(self) -> Status:
        return status(self.subscription, self.now)

    @property
    def days_left(self) -> int | None:
        """Whole days until its grace ends; None: it is in none."""
        end = self.subscription.grace_period_ends_at
        return (end - self.now).days if end is not None and self.status == "grace" else None

    @property
    def plan_changes_at(self) -> datetime | None:
        """When another plan begins; None: none is set, or it holds already."""
        return self.subscription.plan_changes_at if self.next_plan is not None else None

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
            now=now,
            plan=wanted.plan,
            billable=wanted.billable,
            missing_stripe_ids=wanted.missing_stripe_ids,
            # The status is derived: rows that do not match must not count.
            limit=wanted.limit if wanted.status is None else None,
        )
        views = (SubscriptionView(*row, now) for row in found)
        matching = (view for view in views if wanted.status is None or view.status == wanted.status)
        return with_next_plans(session, list(islice(matching, wanted.limit)))


def show_subscription(database: Database, reference: str, *, now: datetime) -> SubscriptionView:
    """By ``TYPE:ID`` of its billable, or by its own number. Raises NotFound, InvalidInput."""
    with database.read() as session:
        return with_next_plan(session, SubscriptionView(*found_by(session, reference, now), now))


def with_next_plan(session: Session, view: SubscriptionView) -> SubscriptionView:
    return with_next_plans(session, [view])[0]


def with_next_plans(session: Session, views: Sequence[SubscriptionView]) -> list[SubscriptionView]:
    """With the plans that are still to come."""
    to_come = {
        row.id: row.next_plan_id
        for row, now in ((view.subscription, view.now) for view in views)
        if row.next_plan_id is not None and plan_at(row, now) != row.next_plan_id
    }
    slugs = slugs_by_id(session, to_come.values()) if to_come else {}
    return [
        replace(view, next_plan=slugs[to_come[view.subscription.id]])
        if view.subscription.id in to_come
        else view
        for view in views
    ]


def found_by(session: Session, reference: str, now: datetime) -> repository.Found:
    """With the plan of ``now``. Raises NotFound, InvalidInput."""
    if reference.isascii() and reference.isdigit() and len(reference) < 19:
        found = repository.find_by_id(session, int(reference), now)
        hint = "aimeter subscriptions list"
    elif ":" in reference:
        ref = BillableRef.parse(reference)
        found = repository.newest_of(session, ref, now)
        if found is None and find_billable(session, ref) is None:
            raise no_billable(session, ref)
        hint = f"aimeter subscriptions create --billable {ref} --plan SLUG"
    else:
        raise InvalidInput(f"{reference!r} is neither a billable such as user:42 nor a number")
    if found is None:
        raise NotFound(f"there is no subscription {reference}", hint=hint)
    return found
