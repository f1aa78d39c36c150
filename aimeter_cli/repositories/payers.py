"""Who pays for an invoice item, under which plan: what a request to Stripe tells of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import bindparam, select, update
from sqlmodel import Session

from aimeter_cli.db.types import UTCDateTime
from aimeter_cli.domain.subscription import PlanChange, is_history, plan_at
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.plans import Plan
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.repositories.subscriptions import plan_id_at

_billables = table_of(Billable)
_subscriptions = table_of(Subscription)
_plans = table_of(Plan)


@dataclass(frozen=True, slots=True)
class Payer:
    """A billable with the subscription that an item is for, and the name of its plan.

    ``draft_invoice_id``: Stripe's draft for what was used until ``draft_period_end``.
    """

    billable: str
    stripe_customer_id: str | None
    plan: str
    timezone: str
    is_live: bool
    ends_at: datetime | None
    stripe_subscription_id: str | None
    draft_invoice_id: str | None
    draft_period_end: datetime | None

    def draft_for(self, period_end: datetime) -> str | None:
        """The draft that still takes what was used until ``period_end``, if there is one."""
        is_ours = self.draft_period_end is not None and period_end <= self.draft_period_end
        return self.draft_invoice_id if is_ours else None


_PAYER = (
    select(
        (_billables.c.type + ":" + _billables.c.external_id).label("billable"),
        _billables.c.stripe_customer_id,
        _plans.c.name.label("plan"),
        _subscriptions.c.timezone,
        _subscriptions.c.is_live,
        _subscriptions.c.ends_at,
        _subscriptions.c.stripe_subscription_id,
        _subscriptions.c.draft_invoice_id,
        _subscriptions.c.draft_period_end,
        *(_subscriptions.c[name] for name in PlanChange._fields),
    )
    .select_from(
        _subscriptions.join(_billables, _billables.c.id == _subscriptions.c.billable_id).join(
            _plans,
            _plans.c.id == plan_id_at(_subscriptions, bindparam("last", type_=UTCDateTime())),
        )
    )
    .where(_subscriptions.c.id == bindparam("subscription"))
)
_PLAN_NAME = select(_plans.c.name).where(_plans.c.id == bindparam("plan"))


def payer_of(session: Session, subscription_id: int, period_end: datetime) -> Payer:
    """With the plan that the period ended with. Raises NoResultFound for an unknown id."""
    connection, last = session.connection(), period_end - timedelta(microseconds=1)
    found = connection.execute(_PAYER, {"subscription": subscription_id, "last": last}).one()
    facts = len(PlanChange._fields)
    payer, plans = Payer(*found[:-facts]), PlanChange(*found[-facts:])
    if not is_history(plans, last):
        return payer
    name = connection.execute(_PLAN_NAME, {"plan": plan_at(plans, last)}).scalar_one()
    return replace(payer, plan=name)


def forget_draft(session: Session, subscription_id: int, invoice_id: str) -> None:
    """The draft takes no items any more; nothing is done where another one has come since."""
    session.connection().execute(
        update(_subscriptions)
        .where(_subscriptions.c.id == subscription_id)
        .where(_subscriptions.c.draft_invoice_id == invoice_id)
        .values(draft_invoice_id=None)
    )
