"""What waits in the inbox, and whether anything comes into it; nothing here reads its history."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import and_, bindparam, func, literal_column, or_, select
from sqlmodel import Session

from aimeter_cli.models.billables import Billable
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.models.webhook_events import WebhookEvent
from aimeter_cli.repositories.webhook_queue import KNOWN, OF_CUSTOMERS

_events = table_of(WebhookEvent)
_subscriptions, _billables = table_of(Subscription), table_of(Billable)
_c = _events.c

_DUE = (
    select(_c.status, func.count())
    .where(
        _c.status.in_((literal_column("'received'"), literal_column("'failed'"))),
        _c.payload != literal_column("''"),  # what has been pruned is done with
    )
    .group_by(_c.status)
)
_WAITING = select(func.count(), func.count(_c.waits_for.distinct())).where(
    _c.waits_for.is_not(None),
    _c.payload != literal_column("''"),
    or_(
        _c.waits_for.in_(KNOWN),
        and_(_c.received_at >= bindparam("since"), _c.type.not_in(OF_CUSTOMERS)),
    ),
)
_NEWEST = select(_c.received_at).order_by(_c.id.desc()).limit(1)
_LIVE = _subscriptions.join(_billables, _billables.c.id == _subscriptions.c.billable_id)
_MISSING = and_(
    _subscriptions.c.is_live,
    or_(
        _billables.c.stripe_customer_id.is_(None),
        _subscriptions.c.stripe_subscription_id.is_(None),
    ),
)
_NAMES = (
    select(_billables.c.type, _billables.c.external_id)
    .select_from(_LIVE)
    .where(_MISSING)
    .order_by(_subscriptions.c.id)
)


class Missing(NamedTuple):
    """Live subscriptions: all, those that lack a Stripe customer, those that lack their own id."""

    live: int
    customer: int
    subscription: int


def unhandled(session: Session) -> dict[str, int]:
    """How many events are ``received`` and how many ``failed``."""
    rows = session.connection().execute(_DUE).all()
    return {row[0]: row[1] for row in rows}


def waiting(session: Session, since: datetime) -> tuple[int, int]:
    """Events since then that wait for a subscription, and for how many; also older ones, and those
    of customers, where what they wait for is known here.

    The others are of somebody else's products.
    """
    events, subscriptions = session.connection().execute(_WAITING, {"since": since}).one()
    return events, subscriptions


def quarantined_since(session: Session, moment: datetime) -> int:
    """What has come since then and is no event; counted among what is not pruned."""
    query = select(func.count()).where(
        _c.received_at >= moment,
        _c.payload != literal_column("''"),  # in the words of the index
        _c.status == "quarantined",
    )
    return int(session.connection().execute(query).scalar_one())


def newest_event(session: Session) -> datetime | None:
    """When the last event came, through whichever door."""
    found: datetime | None = session.connection().execute(_NEWEST).scalar()
    return found


def missing_ids(session: Session) -> Missing:
    counts = select(
        func.count(),
        func.count().filter(_billables.c.stripe_customer_id.is_(None)),
        func.count().filter(_subscriptions.c.stripe_subscription_id.is_(None)),
    )
    query = counts.select_from(_LIVE).where(_subscriptions.c.is_live)
    return Missing(*session.connection().execute(query).one())


def without_ids(session: Session, limit: int) -> list[str]:
    """The first of these billables, TYPE:ID."""
    rows = session.connection().execute(_NAMES.limit(limit))
    return [f"{kind}:{ident}" for kind, ident in rows]


def linked(session: Session) -> int:
    """Live subscriptions that Stripe tells us about."""
    query = select(func.count()).where(
        _subscriptions.c.is_live, _subscriptions.c.stripe_subscription_id.is_not(None)
    )
    return int(session.connection().execute(query).scalar_one())
