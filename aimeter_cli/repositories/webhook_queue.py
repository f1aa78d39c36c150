"""Stored events that are to be handled, and payloads that are not needed any more."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import and_, bindparam, func, literal_column, or_, select, union_all, update
from sqlmodel import Session

from aimeter_cli.models.billables import Billable
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.installation import Installation
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.models.webhook_events import WebhookEvent
from aimeter_cli.repositories.webhook_events import OF_BOTH_MODES

_events, _installation = table_of(WebhookEvent), table_of(Installation)
_c = _events.c
_subscriptions, _billables = table_of(Subscription), table_of(Billable)
_subscription, _customer = _subscriptions.c.stripe_subscription_id, _billables.c.stripe_customer_id
KNOWN = union_all(
    select(_subscription).where(_subscription.is_not(None)),
    select(_customer).where(_customer.is_not(None)),
)

PRUNABLE = ("processed", "stale", "ignored", "failed", "quarantined")
"""Statuses of which the payload may go, unless the event waits for a subscription."""
OF_CUSTOMERS = ("customer.updated", "customer.deleted")
"""Those of other people's customers may be many: they wait only as long as payloads are kept."""


class StoredText(NamedTuple):
    """A stored event's row and text; the text is empty once it has been pruned."""

    id: int
    event_id: str
    payload: str


_TEXTS = [_c[name] for name in StoredText._fields]
_DUE = (
    select(*_TEXTS)
    .where(
        _c.status.in_(("received", "failed")),  # in the words of the index
        _c.payload != "",
        or_(
            _c.status == "received",
            and_(_c.attempts < bindparam("most"), _c.handled_at <= bindparam("before")),
        ),
    )
    .order_by(_c.id)
    .limit(bindparam("limit"))
)
_NEXT = (
    select(*_TEXTS)
    .where(
        _c.status.in_(bindparam("statuses", expanding=True)),
        _c.id > bindparam("after"),
        _c.payload != "",
        _c.event_id.not_like("quarantined:%"),  # what is no event stays none
    )
    .order_by(_c.id)
    .limit(bindparam("limit"))
)
_WAITING = (
    select(*_TEXTS)
    .where(
        _c.waits_for.is_not(None),  # in the words of the index
        _c.waits_for.in_(bindparam("subscriptions", expanding=True)),
        _c.payload != "",
    )
    .order_by(_c.created, _c.id)
)
_OLD = and_(
    _c.received_at < bindparam("before"),
    _c.status.in_(PRUNABLE),
    or_(_c.waits_for.is_(None), _c.type.in_(OF_CUSTOMERS)),
    _c.payload != literal_column("''"),  # in the words of the index
)
_OLD_IDS = select(_c.id).where(_OLD).order_by(_c.received_at, _c.id).limit(bindparam("limit"))
_COUNT_OLD = select(func.count()).where(_OLD)
_EMPTY = update(_events).where(_c.id.in_(bindparam("ids", expanding=True)))
_EMPTY = _EMPTY.values(payload="", waits_for=None)
_CUSTOMERS = (
    select(_customer)
    .join_from(_billables, _subscriptions, _billables.c.id == _subscriptions.c.billable_id)
    .where(_subscription.in_(bindparam("subscriptions", expanding=True)), _customer.is_not(None))
)


def due_events(
    session: Session, *, failed_before: datetime, most_attempts: int, limit: int
) -> Sequence[StoredText]:
    """What was never handled, and what failed and was last tried before then; oldest first."""
    values = {"before": failed_before, "most": most_attempts, "limit": limit}
    return [StoredText(*row) for row in session.connection().execute(_DUE, values)]


def events_waiting_for(session: Session, stripe_ids: Collection[str]) -> Sequence[StoredText]:
    """Events that wait for these subscriptions or customers; oldest first."""
    if not stripe_ids:
        return []
    found = session.connection().execute(_WAITING, {"subscriptions": sorted(stripe_ids)})
    return [StoredText(*row) for row in found]


def customers_of(session: Session, stripe_subscription_ids: Collection[str]) -> set[str]:
    """The Stripe customers of those of these subscriptions that are known here."""
    values = {"subscriptions": sorted(stripe_subscription_ids)}
    return set(session.connection().execute(_CUSTOMERS, values).scalars())


def known_that_are_waited_for(session: Session, limit: int) -> list[str]:
    """Stripe ids of subscriptions and customers that are here, and for which events wait all the
    same."""
    query = (
        select(_c.waits_for)
        .where(_c.waits_for.is_not(None), _c.payload != literal_column("''"))
        .where(_c.waits_for.in_(KNOWN))
        .distinct()
        .limit(limit)
    )
    return [str(found) for found in session.connection().execute(query).scalars()]


def events_by_status(
    session: Session, statuses: Collection[str], *, after: int, limit: int
) -> Sequence[StoredText]:
    """Events of these statuses behind row ``after``, by row, but for what was pruned, and for
    what is no event of its own."""
    values = {"statuses": list(statuses), "after": after, "limit": limit}
    return [StoredText(*row) for row in session.connection().execute(_NEXT, values)]


def events_by_id(session: Session, event_ids: Collection[str]) -> Sequence[StoredText]:
    """The events of these ids, of both modes."""
    found = select(*_TEXTS).where(OF_BOTH_MODES, _c.event_id.in_(event_ids))
    statement = found.order_by(_c.id)
    return [StoredText(*row) for row in session.connection().execute(statement)]


def count_old(session: Session, before: datetime) -> int:
    """Payloads that came before then and may go."""
    return int(session.connection().execute(_COUNT_OLD, {"before": before}).scalar_one())


def empty_old(session: Session, before: datetime, limit: int) -> int:
    """Empty at most ``limit`` payloads; returns how many went."""
    found = session.connection().execute(_OLD_IDS, {"before": before, "limit": limit})
    ids = list(found.scalars())
    if ids:
        session.connection().execute(_EMPTY, {"ids": ids})
    return len(ids)


def pulled_until(session: Session) -> datetime | None:
    statement = select(_installation.c.events_pulled_until)
    found: datetime | None = session.connection().execute(statement).scalar_one()
    return found


def has_events_between(session: Session, first: datetime, last: datetime) -> bool:
    """Whether an event of that time is stored, whichever way it came."""
    is_one = _c.created.between(first, last) & (_c.status != "quarantined")
    return session.connection().execute(select(_c.id).where(is_one).limit(1)).first() is not None


def set_pulled_until(session: Session, moment: datetime) -> None:
    """Move the pull's cursor on, never back: another pull may have come further."""
    here = _installation.c.events_pulled_until
    statement = update(_installation).where(or_(here.is_(None), here < moment))
    session.connection().execute(statement.values(events_pulled_until=moment))
