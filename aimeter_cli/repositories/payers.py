"""Who pays for an invoice item, under which plan: what a request to Stripe tells of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, select
from sqlmodel import Session

from aimeter_cli.db.types import UTCDateTime
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
    """A billable with the subscription that an item is for, and the name of its plan."""

    billable: str
    stripe_customer_id: str | None
    plan: str
    timezone: str
    is_live: bool
    ends_at: datetime | None
    stripe_subscription_id: str | None


_PAYER = (
    select(
        (_billables.c.type + ":" + _billables.c.external_id).label("billable"),
        _billables.c.stripe_customer_id,
        _plans.c.name.label("plan"),
        _subscriptions.c.timezone,
        _subscriptions.c.is_live,
        _subscriptions.c.ends_at,
        _subscriptions.c.stripe_subscription_id,
    )
    .select_from(
        _subscriptions.join(_billables, _billables.c.id == _subscriptions.c.billable_id).join(
            _plans,
            _plans.c.id == plan_id_at(_subscriptions, bindparam("last", type_=UTCDateTime())),
        )
    )
    .where(_subscriptions.c.id == bindparam("subscription"))
)


def payer_of(session: Session, subscription_id: int, period_end: datetime) -> Payer:
    """With the plan that the period ended with. Raises NoResultFound for an unknown id."""
    parameters = {"subscription": subscription_id, "last": period_end - timedelta(microseconds=1)}
    found = session.connection().execute(_PAYER, parameters).one()
    return Payer(*found)
