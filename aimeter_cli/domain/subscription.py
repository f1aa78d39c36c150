"""What state a subscription is in, derived from its facts and the time.

Source: DESIGN.md, "Webhooks" (grace) and the subscription's JSON fields. Only facts are stored;
the status is never stored, so that no clock needs to run for it to be right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol

from aimeter_cli.domain.periods import parse_time

Status = Literal[
    "scheduled", "incomplete", "trialing", "active", "grace", "paused", "canceled", "expired"
]
STATUSES: tuple[Status, ...] = (
    "scheduled", "incomplete", "trialing", "active", "grace", "paused", "canceled", "expired",
)  # fmt: skip
BillingMode = Literal["plan", "credits"]
BILLING_MODES: tuple[BillingMode, ...] = ("plan", "credits")


class Facts(Protocol):
    """What is stored about a subscription's life, all times aware UTC."""

    @property
    def started_at(self) -> datetime: ...
    @property
    def ends_at(self) -> datetime | None: ...
    @property
    def trial_ends_at(self) -> datetime | None: ...
    @property
    def grace_period_ends_at(self) -> datetime | None: ...
    @property
    def expired_at(self) -> datetime | None: ...
    @property
    def paused_at(self) -> datetime | None: ...
    @property
    def is_incomplete(self) -> bool: ...


def status(facts: Facts, now: datetime) -> Status:
    """The status at ``now``; ``canceled`` only once it has ended."""
    if facts.ends_at is not None and facts.ends_at <= now:
        return "canceled"
    if _expired(facts, now):
        return "expired"
    if facts.is_incomplete:
        return "incomplete"
    if facts.started_at > now:
        return "scheduled"
    if facts.paused_at is not None and facts.paused_at <= now:
        return "paused"
    if facts.grace_period_ends_at is not None:
        return "grace"
    if facts.trial_ends_at is not None and now < facts.trial_ends_at:
        return "trialing"
    return "active"


def is_over(facts: Facts, now: datetime) -> bool:
    """Whether it makes room for a new subscription of the same billable."""
    return status(facts, now) in ("canceled", "expired")


def covers(facts: Facts, moment: datetime) -> bool:
    """Whether a usage at ``moment`` is metered against this subscription's plan.

    An expired one sets no limits and charges nothing; one in grace still does.
    """
    return facts.started_at <= moment and status(facts, moment) in (
        "trialing", "active", "grace", "paused",
    )  # fmt: skip


def in_trial(facts: Facts, moment: datetime) -> bool:
    return facts.trial_ends_at is not None and moment < facts.trial_ends_at


class PlanFacts(Protocol):
    """Which plan, and a change of it: from ``plan_changes_at`` on it is ``next_plan_id``.

    ``plan_history``: the plans before, oldest first, each ``{"plan_id", "until"}``, an ISO time.
    """

    @property
    def plan_id(self) -> int: ...
    @property
    def next_plan_id(self) -> int | None: ...
    @property
    def plan_changes_at(self) -> datetime | None: ...
    @property
    def plan_history(self) -> Sequence[Mapping[str, Any]]: ...


class PlanChange(NamedTuple):
    """``PlanFacts`` of a row."""

    plan_id: int
    next_plan_id: int | None
    plan_changes_at: datetime | None
    plan_history: Sequence[Mapping[str, Any]]


def plan_at(facts: PlanFacts, moment: datetime) -> int:
    """The id of the plan that holds at ``moment``.

    Changes are kept after they took effect: what occurred before counts against the plan of then.
    """
    for plan_id, until in plans_before(facts):
        if moment < until:
            return plan_id
    return last_plan(facts)


def is_history(facts: PlanFacts, moment: datetime) -> bool:
    """Whether only ``plan_history`` knows the plan of ``moment``."""
    history = facts.plan_history
    return bool(history) and moment < parse_time(history[-1]["until"])


def plans_before(facts: PlanFacts) -> list[tuple[int, datetime]]:
    """The id of each plan before the last one, and the time until which it holds; oldest first."""
    before = [(each["plan_id"], parse_time(each["until"])) for each in facts.plan_history]
    if facts.next_plan_id is not None and facts.plan_changes_at is not None:
        before.append((facts.plan_id, facts.plan_changes_at))
    return before


def last_plan(facts: PlanFacts) -> int:
    """The id of the plan that holds once every change has come."""
    if facts.next_plan_id is None or facts.plan_changes_at is None:
        return facts.plan_id
    return facts.next_plan_id


def unchanged_until(facts: Facts, moment: datetime) -> datetime | None:
    """The first time after ``moment`` at which the status may become another; None: never."""
    changes = (
        facts.started_at, facts.ends_at, facts.trial_ends_at, facts.grace_period_ends_at,
        facts.expired_at, facts.paused_at,
    )  # fmt: skip
    return min((change for change in changes if change and change > moment), default=None)


def _expired(facts: Facts, now: datetime) -> bool:
    if facts.expired_at is not None and facts.expired_at <= now:
        return True
    return facts.grace_period_ends_at is not None and facts.grace_period_ends_at <= now
