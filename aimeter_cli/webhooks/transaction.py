"""What the handlers of one transaction share: rows that were read, outcomes still to be written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, bindparam, select
from sqlmodel import Session

from aimeter_cli.db.prepared import Prepared
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.plans import Plan, PlanPrice
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.repositories.outbox import savepoint
from aimeter_cli.repositories.webhook_events import (
    EventOutcome,
    PastEvent,
    history_of,
    set_outcomes,
)
from aimeter_cli.settings.table import Settings
from aimeter_cli.webhooks.asking import Asked

_subscriptions = table_of(Subscription)
_plans, _prices = table_of(Plan), table_of(PlanPrice)

Row = Mapping[str, Any]
"""A row of ``ai_subscriptions``, by column."""

# Built once: building a statement costs more than running it.
_BY_STRIPE_ID = Prepared(
    select(_subscriptions)
    .where(_subscriptions.c.stripe_subscription_id == bindparam("stripe_id"))
    .with_for_update(key_share=True)
)
_PRICES = select(_prices.c.stripe_price_id, _plans.c.id, _plans.c.slug).join_from(
    _prices, _plans, _prices.c.plan_id == _plans.c.id
)


class PriceBook:
    """Stripe price → (plan id, slug)."""

    def __init__(self, connection: Connection) -> None:
        self.plans: dict[str, int] = {}
        self.slugs: dict[int, str] = {}
        for price, plan, slug in connection.execute(_PRICES):
            self.plans[price] = plan
            self.slugs[plan] = slug

    def prices_of(self, plan: int) -> tuple[str, ...]:
        return tuple(price for price, mapped in self.plans.items() if mapped == plan)


class Transaction:
    """One transaction, in which events are handled one after the other.

    Each is an ``attempt``. Outcomes are written together: before anything reads what was handled of
    an object that one of them is about, and by ``write_outcomes`` at the end.
    """

    def __init__(self, session: Session, settings: Settings, now: datetime, asked: Asked) -> None:
        self.session = session
        self.connection = session.connection()
        self.settings = settings
        self.now = now
        self.asked = asked
        self._rows: dict[str, Row] = {}
        self._outcomes: list[EventOutcome] = []
        self._objects: set[str | None] = set()
        self._at_risk: list[EventOutcome] = []

    @cached_property
    def prices(self) -> PriceBook:
        return PriceBook(self.connection)

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """A savepoint: what fails in it leaves nothing behind."""
        self._at_risk = []
        try:
            with savepoint(self.session):
                yield
        except BaseException:
            self._rows.clear()
            self._outcomes = self._at_risk + self._outcomes  # of earlier events, written in it
            self._objects.update(each.object_id for each in self._at_risk)
            raise

    def subscription(self, stripe_id: str) -> Row | None:
        """Ours of that Stripe id, locked."""
        row = self._rows.get(stripe_id)
        if row is None:
            row = _BY_STRIPE_ID.first(self.connection, stripe_id=stripe_id)
            if row is not None:
                self._rows[stripe_id] = row
        return row

    def keep(self, row: Row) -> None:
        """The row as it has been written."""
        self._rows[row["stripe_subscription_id"]] = row

    def end(self, outcome: EventOutcome) -> None:
        """An event has been handled."""
        self._outcomes.append(outcome)
        self._objects.add(outcome.object_id)

    def write_outcomes(self) -> None:
        set_outcomes(self.connection, self._outcomes, self.now)
        self._at_risk += self._outcomes
        self._outcomes = []
        self._objects = set()

    def history(
        self, object_id: str, *, livemode: bool, since: datetime | None = None
    ) -> list[PastEvent]:
        """The handled events about a Stripe object, newest first."""
        if object_id in self._objects:
            self.write_outcomes()
        return history_of(self.connection, object_id, livemode=livemode, since=since)
