"""Ordinary plans, billables and subscriptions for the tests of the services."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlmodel import col, select

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.periods import PeriodRule
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.models.domain_events import DomainEvent
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.services.plans import NewPlan, PlanView, create_plan
from aimeter_cli.services.subscriptions.create import NewSubscription, create_subscription
from aimeter_cli.services.subscriptions.view import SubscriptionView
from tests.conftest import NOW

USER = BillableRef("user", "42")
OTHER = BillableRef("user", "43")
CALENDAR = PeriodRule("monthly", "calendar", "UTC")
ANCHORED = PeriodRule("monthly", "anchored", "UTC")


def a_plan(database: Database, now: datetime, name: str = "Pro", **fields: Any) -> PlanView:
    return create_plan(database, NewPlan(name, "usd", **fields), now=now)


def a_subscription(
    database: Database,
    now: datetime,
    ref: BillableRef = USER,
    rule: PeriodRule = CALENDAR,
    **fields: Any,
) -> SubscriptionView:
    """``ref`` on the plan ``pro``, which must be there."""
    return create_subscription(database, NewSubscription(ref, "pro", rule, **fields), now=now)


def day(days: float) -> datetime:
    """So many days from the tests' now."""
    return NOW + timedelta(days=days)


def change(database: Database, subscription_id: int, **facts: Any) -> None:
    """Set facts of a subscription, as a webhook would."""
    with database.write() as session:
        row = session.get_one(Subscription, subscription_id)
        for name, value in facts.items():
            setattr(row, name, value)
        session.add(row)


def events(database: Database) -> list[tuple[str, str]]:
    """The outbox: names and payloads, oldest first."""
    with database.read() as session:
        rows = session.exec(select(DomainEvent).order_by(col(DomainEvent.id)))
        return [(row.name, row.payload) for row in rows]
