"""Limit overrides: set, listed and removed by operators (DESIGN.md, "Metering rules")."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal, TypeVar

from sqlmodel import Session

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.overrides import OverrideStatus, override_status
from aimeter_cli.domain.periods import Period, iso
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.domain.subscription import is_over
from aimeter_cli.errors import Conflict, InvalidInput, NotFound
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.overrides import UsageLimitOverride
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.repositories import overrides as repository
from aimeter_cli.repositories.subscriptions import live_subscription
from aimeter_cli.services.billables import billable_named
from aimeter_cli.settings.table import Settings

Unlimited = Literal["unlimited"]
Amount = TypeVar("Amount", int, Decimal)


@dataclass(frozen=True, slots=True)
class NewOverride:
    """What ``set_override`` is told. A limit of None is the plan's; ``cost`` in major units."""

    billable: BillableRef
    tokens: int | Unlimited | None = None
    cost: Decimal | Unlimited | None = None
    requests: int | Unlimited | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class OverrideView:
    """An override at ``now``; ``currency`` is that of the plan, for its cost limit."""

    override: UsageLimitOverride
    billable: Billable
    currency: str
    now: datetime

    @property
    def status(self) -> OverrideStatus:
        return override_status(self.override.starts_at, self.override.ends_at, self.now)

    @property
    def lifts(self) -> list[str]:
        """What is unlimited: ``tokens cost requests``."""
        names = ("tokens", "cost", "requests")
        return [name for name in names if getattr(self.override, f"lifts_{name}")]


def set_override(
    database: Database,
    settings: Settings,
    new: NewOverride,
    *,
    now: datetime,
    dry_run: bool = False,
) -> OverrideView:
    """Without times: for what is left free of the billable's current metering period.

    Raises NotFound for the billable, InvalidInput, Conflict if it overlaps another one.
    """
    if new.tokens is None and new.cost is None and new.requests is None:
        raise InvalidInput("give --tokens, --cost, --requests or several of them")
    with database.write(dry_run=dry_run) as session:
        billable = billable_named(session, new.billable, lock=True)
        span = _span(session, billable, new, now)
        _refuse_overlap(session, billable, span)
        override = UsageLimitOverride(
            billable_id=billable.id,
            starts_at=span.start,
            ends_at=span.end,
            token_limit=_limit(new.tokens),
            cost_limit=_limit(new.cost),
            request_limit=_limit(new.requests),
            lifts_tokens=new.tokens == "unlimited",
            lifts_cost=new.cost == "unlimited",
            lifts_requests=new.requests == "unlimited",
            reason=new.reason,
            created_at=now,
        )
        session.add(override)
        session.flush()
        return _view(session, settings, override, billable, now)


def list_overrides(
    database: Database,
    settings: Settings,
    *,
    now: datetime,
    billable: BillableRef | None = None,
    include_ended: bool = False,
) -> list[OverrideView]:
    """In the order in which they begin. Raises NotFound for the billable."""
    with database.read() as session:
        if billable is not None:
            billable_named(session, billable)
        since = None if include_ended else now
        found = repository.list_overrides(session, billable=billable, since=since)
        return [
            OverrideView(override, owner, currency or settings.currency, now)
            for override, owner, currency in found
        ]


def remove_override(
    database: Database,
    settings: Settings,
    override_id: int,
    *,
    now: datetime,
    dry_run: bool = False,
) -> tuple[OverrideView, bool]:
    """Delete it if it has not begun, else end it now; whether it was deleted.

    Raises NotFound, Conflict if it has ended.
    """
    with database.write(dry_run=dry_run) as session:
        found = repository.find_override(session, override_id)
        if found is None:
            raise NotFound(
                f"there is no override {override_id}", hint="aimeter overrides list --all"
            )
        override, billable = found
        if override.ends_at <= now:
            raise Conflict(f"the override {override_id} ended on {iso(override.ends_at)} already")
        view = _view(session, settings, override, billable, now)
        deleted = override.starts_at >= now
        if deleted:
            session.delete(override)
        else:
            override.ends_at = now
            session.add(override)
        session.flush()
        return view, deleted


def _span(session: Session, billable: Billable, new: NewOverride, now: datetime) -> Period:
    subscription = live_subscription(session, billable.id)
    if subscription is not None and is_over(subscription, now):
        subscription = None
    start = new.starts_at or _start(session, billable, subscription, now)
    if new.ends_at is not None:
        end = new.ends_at
    elif subscription is None:
        raise InvalidInput(
            f"--until: required, since {billable.ref} has no subscription whose period ends"
        )
    else:
        end = subscription.period_at(start).end
    if end <= start:
        raise InvalidInput(f"--until: {iso(end)} does not lie after the start, {iso(start)}")
    return Period(start, end)


def _start(
    session: Session, billable: Billable, subscription: Subscription | None, now: datetime
) -> datetime:
    """The start of the metering period, or the end of an earlier override in it."""
    if subscription is None:
        return now
    start = subscription.period_at(max(now, subscription.started_at)).start
    previous = repository.last_end(session, billable.id, now)
    return start if previous is None else max(start, previous)


def _refuse_overlap(session: Session, billable: Billable, span: Period) -> None:
    other = repository.overlapping(session, billable.id, span.start, span.end)
    if other is not None:
        raise Conflict(
            f"{billable.ref} has an override from {iso(other.starts_at)} to {iso(other.ends_at)} "
            f"already: {other.id}",
            hint=f"aimeter overrides remove {other.id}",
        )


def _limit(said: Amount | Unlimited | None) -> Amount | None:
    return None if said is None or said == "unlimited" else said


def _view(
    session: Session,
    settings: Settings,
    override: UsageLimitOverride,
    billable: Billable,
    now: datetime,
) -> OverrideView:
    currency = repository.currency_of(session, override)
    return OverrideView(override, billable, currency or settings.currency, now)
