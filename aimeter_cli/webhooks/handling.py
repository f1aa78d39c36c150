"""What a handler works with: its event, the rows it may read and change, and its notices."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import bindparam, select, update

from aimeter_cli.db.prepared import Prepared
from aimeter_cli.domain.events import EventName
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.domain.stripe_events import NotAnEvent, StripeEvent
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.plans import Plan
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.repositories.outbox import emit
from aimeter_cli.repositories.webhook_events import PastEvent
from aimeter_cli.services.subscriptions.plan_changes import tell_plan_change
from aimeter_cli.webhooks.asking import Fetched
from aimeter_cli.webhooks.named_plans import PLAN_COLUMNS, with_slugs
from aimeter_cli.webhooks.reading import Incoming
from aimeter_cli.webhooks.results import Change, differences
from aimeter_cli.webhooks.transaction import PriceBook, Row, Transaction

__all__ = ["Handling", "Row", "UnknownSubscription", "reread"]

_subscriptions, _billables = table_of(Subscription), table_of(Billable)
_plans = table_of(Plan)


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


class Handling:
    """One event on its way through its handler, inside the transaction that also marks it.

    ``was_handled``: this very event has had its effect before; it is done again by ``--force``.
    """

    def __init__(self, transaction: Transaction, event: StripeEvent, *, was_handled: bool) -> None:
        self._transaction = transaction
        self.session = transaction.session
        self.settings = transaction.settings
        self.event = event
        self.now = transaction.now
        self.was_handled = was_handled
        self.changes: list[Change] = []
        self.notices: list[str] = []
        self.known: set[str] = set()

    @property
    def prices(self) -> PriceBook:
        return self._transaction.prices

    def subscription(self, stripe_id: str) -> Row:
        """Ours of that Stripe id, locked; nothing else identifies it.

        Raises UnknownSubscription.
        """
        row = self._transaction.subscription(stripe_id)
        if row is None:
            raise UnknownSubscription(stripe_id)
        self.known.add(stripe_id)
        return row

    def ask(self, stripe_id: str) -> Fetched | None:
        """The subscription as Stripe has it; None, and told, where Stripe does not say.

        Raises MustAsk for the transaction to end first.
        """
        answer = self._transaction.asked.answer(stripe_id)
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
            changing = _change(tuple(sorted(written)))
            changing.run(self._transaction.connection, [{**values, "row_id": row["id"]}])
            self._transaction.keep(after)
            changes = differences("ai_subscriptions", row, after)
            is_of_plans = not PLAN_COLUMNS.isdisjoint(differing)
            self.changes += with_slugs(changes, self.slug) if is_of_plans else changes
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
        livemode = self.event.livemode
        rows = self._transaction.history(object_id, livemode=livemode, since=since)
        return [row for row in rows if row.event_id != self.event.id]


def reread(past: PastEvent) -> StripeEvent | None:
    """A stored event, None where its payload is not kept any more."""
    try:
        return Incoming("", past.payload).parse()
    except NotAnEvent:
        return None
