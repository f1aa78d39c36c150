"""What a handler works with: its event, the rows it may read and change, and its notices."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlmodel import Session

from aimeter_cli.db.prepared import Prepared
from aimeter_cli.domain.events import EventName
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.domain.stripe_events import NotAnEvent, StripeEvent
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.plans import Plan, PlanPrice
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.repositories.outbox import emit
from aimeter_cli.repositories.webhook_events import PastEvent, history_of
from aimeter_cli.services.subscriptions.plan_changes import tell_plan_change
from aimeter_cli.settings.table import Settings
from aimeter_cli.webhooks.asking import Asked, Fetched
from aimeter_cli.webhooks.reading import Incoming
from aimeter_cli.webhooks.results import Change, differences

_subscriptions, _billables = table_of(Subscription), table_of(Billable)
_plans, _prices = table_of(Plan), table_of(PlanPrice)


Row = Mapping[str, Any]
"""A row of ``ai_subscriptions``, by column."""


# Built once: building a statement costs more than running it.
_BY_STRIPE_ID = Prepared(
    select(_subscriptions)
    .where(_subscriptions.c.stripe_subscription_id == bindparam("stripe_id"))
    .with_for_update(key_share=True)
)


@cache
def _change(names: tuple[str, ...]) -> Prepared:
    """Sets these columns, each by the parameter ``new_NAME``, of the row ``row_id``."""
    columns = _subscriptions.c
    values = {name: bindparam(f"new_{name}", type_=columns[name].type) for name in names}
    return Prepared(update(_subscriptions).where(columns.id == bindparam("row_id")).values(values))


class UnknownSubscription(LookupError):
    """No subscription here bears this Stripe id (yet): the event is kept until one does."""

    def __init__(self, stripe_id: str) -> None:
        super().__init__(f"unknown subscription {stripe_id}")
        self.stripe_id = stripe_id


class PriceBook:
    """Stripe price → (plan id, slug), read once per transaction."""

    def __init__(self, session: Session) -> None:
        rows = session.connection().execute(
            select(_prices.c.stripe_price_id, _plans.c.id, _plans.c.slug).join_from(
                _prices, _plans, _prices.c.plan_id == _plans.c.id
            )
        )
        self.plans: dict[str, int] = {}
        self.slugs: dict[int, str] = {}
        for price, plan, slug in rows:
            self.plans[price] = plan
            self.slugs[plan] = slug

    def prices_of(self, plan: int) -> tuple[str, ...]:
        return tuple(price for price, mapped in self.plans.items() if mapped == plan)


class Handling:
    """One event on its way through its handler, inside the transaction that also marks it.

    ``was_handled``: this very event has had its effect before; it is done again by ``--force``.
    """

    def __init__(
        self,
        session: Session,
        settings: Settings,
        event: StripeEvent,
        prices: PriceBook,
        *,
        now: datetime,
        was_handled: bool,
        asked: Asked,
    ) -> None:
        self._asked = asked
        self.session = session
        self.settings = settings
        self.event = event
        self.prices = prices
        self.now = now
        self.was_handled = was_handled
        self.changes: list[Change] = []
        self.notices: list[str] = []
        self.known: set[str] = set()

    def subscription(self, stripe_id: str) -> Row:
        """Ours of that Stripe id, locked; nothing else identifies it.

        Raises UnknownSubscription.
        """
        row = _BY_STRIPE_ID.first(self.session, stripe_id=stripe_id)
        if row is None:
            raise UnknownSubscription(stripe_id)
        self.known.add(stripe_id)
        return row

    def ask(self, stripe_id: str) -> Fetched | None:
        """The subscription as Stripe has it; None, and told, where Stripe does not say.

        Raises MustAsk for the transaction to end first.
        """
        answer = self._asked.answer(stripe_id)
        if isinstance(answer, str):
            self.notices.append(f"Stripe could not be asked about {stripe_id} ({answer})")
            return None
        return answer

    def change(self, row: Row, columns: Mapping[str, Any]) -> Row:
        """Write what differs and tell it. Returns the row as it is now."""
        differing = {name: value for name, value in columns.items() if row[name] != value}
        after = {**row, **differing}
        if differing:
            if row["plan_changes_at"] is not None:
                tell_plan_change(self.session, row["id"], self.now)
            after["updated_at"] = self.now
            written = {**differing, "updated_at": self.now}
            values = {f"new_{name}": value for name, value in written.items()}
            _change(tuple(sorted(written))).run(self.session, [{**values, "row_id": row["id"]}])
            self.changes += differences("ai_subscriptions", row, after)
        return after

    def live_rival(self, row: Row) -> int | None:
        """Another subscription that has the billable's one live place."""
        found: int | None = (
            self.session.connection()
            .execute(
                select(_subscriptions.c.id).where(
                    _subscriptions.c.billable_id == row["billable_id"],
                    _subscriptions.c.is_live,
                    _subscriptions.c.id != row["id"],
                )
            )
            .scalar()
        )
        return found

    def billable(self, row: Row) -> str:
        found = (
            self.session.connection()
            .execute(
                select(_billables.c.type, _billables.c.external_id).where(
                    _billables.c.id == row["billable_id"]
                )
            )
            .one()
        )
        return str(BillableRef(found.type, found.external_id))

    def emit(self, name: EventName, row: Row, payload: Mapping[str, Any]) -> None:
        """Append to the outbox what has become true of the subscription in ``row``."""
        emit(
            self.session,
            name,
            billable_id=row["billable_id"],
            now=self.now,
            payload={
                "subscription_id": row["id"],
                "stripe_subscription_id": row["stripe_subscription_id"],
                "stripe_event_id": self.event.id,
                **payload,
            },
        )

    def slug(self, plan: int) -> str:
        if plan not in self.prices.slugs:
            statement = select(_plans.c.slug).where(_plans.c.id == plan)
            found = self.session.connection().execute(statement).scalar_one()
            self.prices.slugs[plan] = str(found)
        return self.prices.slugs[plan]

    def history(self, object_id: str, *, since: datetime | None = None) -> list[PastEvent]:
        """The other handled events about a Stripe object, newest first."""
        rows = history_of(self.session, object_id, livemode=self.event.livemode, since=since)
        return [row for row in rows if row.event_id != self.event.id]


def reread(past: PastEvent) -> StripeEvent | None:
    """A stored event, None where its payload is not kept any more."""
    try:
        return Incoming("", past.payload).parse()
    except NotAnEvent:
        return None
