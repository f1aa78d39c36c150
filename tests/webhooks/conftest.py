"""A subscription of user:42 on the plan ``pro``, and the doors of the inbox with few words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlmodel import Session, col, select

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.periods import iso
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.domain_events import DomainEvent
from aimeter_cli.models.plans import Plan, PlanPrice
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.models.webhook_events import WebhookEvent
from aimeter_cli.settings.table import Settings
from aimeter_cli.webhooks import inbox
from aimeter_cli.webhooks.results import EventResult
from tests.webhooks.payloads import SUBSCRIPTION

NOW = datetime(2026, 12, 31, tzinfo=UTC)
STARTED = datetime(2026, 10, 1, tzinfo=UTC)


class World:
    """A database with plans ``pro`` and ``max`` and some subscriptions, and what events do."""

    def __init__(self, database: Database, settings: Settings | None = None) -> None:
        self.database = database
        self.settings = settings or Settings()

    def receive(self, event: Mapping[str, Any], **options: Any) -> EventResult:
        return inbox.receive(
            self.database, self.settings, json.dumps(event), now=NOW, source="test", **options
        )

    def with_grace(self, days: int) -> World:
        return World(self.database, replace(self.settings, payment_failure_grace_period=days))

    def subscription(self, stripe_id: str = SUBSCRIPTION) -> Subscription:
        with self.database.read() as session:
            return session.exec(
                select(Subscription).where(Subscription.stripe_subscription_id == stripe_id)
            ).one()

    def subscribe(self, stripe_id: str | None, billable: str = "user:42", **facts: Any) -> int:
        """A further subscription; the billable is made if it is new."""
        with self.database.write() as session:
            owner = _billable(session, billable)
            plan = session.exec(select(Plan).where(Plan.slug == "pro")).one()
            made = _subscription(owner.id, plan.id, stripe_id, **facts)
            session.add(made)
            session.flush()
            return made.id

    def update(self, stripe_id: str = SUBSCRIPTION, **facts: Any) -> None:
        """Change a subscription by hand, as an operator's command would."""
        with self.database.write() as session:
            row = session.exec(
                select(Subscription).where(Subscription.stripe_subscription_id == stripe_id)
            ).one()
            for name, value in facts.items():
                setattr(row, name, value)
            session.add(row)

    def state(self, stripe_id: str = SUBSCRIPTION) -> dict[str, Any]:
        """Every column of the subscription that events may change, readable."""
        row = self.subscription(stripe_id).model_dump()
        del row["created_at"], row["updated_at"]
        return {key: iso(v) if isinstance(v, datetime) else v for key, v in row.items()}

    def stored(self) -> list[WebhookEvent]:
        with self.database.read() as session:
            return list(session.exec(select(WebhookEvent).order_by(col(WebhookEvent.id))))

    def told(self) -> list[tuple[str, dict[str, Any]]]:
        """The outbox."""
        with self.database.read() as session:
            rows = session.exec(select(DomainEvent).order_by(col(DomainEvent.id)))
            return [(row.name, json.loads(row.payload)) for row in rows]

    def add_plan(self, slug: str, price: str | None = None) -> int:
        with self.database.write() as session:
            plan = Plan(
                slug=slug, name=slug, currency="usd", created_at=STARTED, updated_at=STARTED
            )
            session.add(plan)
            session.flush()
            if price is not None:
                session.add(PlanPrice(stripe_price_id=price, plan_id=plan.id))
            return plan.id

    def forget_payloads(self) -> None:
        """Prune the payloads, as a retention would; the rows stay."""
        with self.database.write() as session:
            for row in session.exec(select(WebhookEvent)):
                row.payload = ""
                session.add(row)

    def forget(self) -> None:
        """Empty the inbox and the outbox."""
        with self.database.write() as session:
            for table in (WebhookEvent, DomainEvent):
                for row in session.exec(select(table)):
                    session.delete(row)


def _billable(session: Session, ref: str) -> Billable:
    kind, _, ident = ref.partition(":")
    found = session.exec(
        select(Billable).where(Billable.type == kind, Billable.external_id == ident)
    ).first()
    if found is None:
        found = Billable(type=kind, external_id=ident, created_at=STARTED)
        session.add(found)
        session.flush()
    return found


def _subscription(billable: int, plan: int, stripe_id: str | None, **facts: Any) -> Subscription:
    defaults: dict[str, Any] = {
        "started_at": STARTED,
        "period_anchor": STARTED,
        "created_at": STARTED,
        "updated_at": STARTED,
    }
    return Subscription(
        billable_id=billable,
        plan_id=plan,
        stripe_subscription_id=stripe_id,
        **{**defaults, **facts},
    )


def make_world(database: Database) -> World:
    """Plans with their Stripe prices, and user:42's subscription."""
    world = World(database)
    for slug in ("pro", "max"):
        world.add_plan(slug, f"price_{slug}")
    world.subscribe(SUBSCRIPTION)
    return world


@pytest.fixture
def world(database: Database) -> World:
    return make_world(database)


@pytest.fixture
def any_world(any_database: Database) -> World:
    return make_world(any_database)
