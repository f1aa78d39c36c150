"""Our mirrors of Stripe's invoice items, as they are held against what Stripe has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select, true
from sqlmodel import Session

from aimeter_cli.models.billables import Billable
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.items import InvoiceItem
from aimeter_cli.models.overages import Overage

items = table_of(InvoiceItem)
overages = table_of(Overage)
billables = table_of(Billable)

_BATCH = 500


@dataclass(frozen=True, slots=True)
class Mirror:
    """What we believe of one item; equal to another while nothing has happened to it.

    ``amount_minor`` is what Stripe has, as far as it told us: final once ``closed``.
    ``overage_id``: one of its overages, if it has any.
    """

    id: int
    uid: str
    billable: str
    currency: str
    status: str
    reason: str | None
    version: int
    amount_minor: int
    may_overwrite: bool
    stripe_item_id: str | None
    stripe_customer_id: str | None
    overage_id: int | None


def oldest_pending(session: Session, billable_id: int | None) -> datetime | None:
    """When the first of the items was made that are not closed."""
    query = select(func.min(items.c.created_at)).where(
        items.c.status != "closed", _of(items.c.billable_id, billable_id)
    )
    found: datetime | None = session.connection().execute(query).scalar()
    return found


def mirrors_since(session: Session, since: datetime, billable_id: int | None) -> list[Mirror]:
    """Every item that is not closed, and those made since."""
    wanted = (items.c.status != "closed") | (items.c.created_at >= since)
    return list(_mirrors(session, _mirror().where(wanted, _of(items.c.billable_id, billable_id))))


def mirrors_by_uid(session: Session, uids: Iterable[str]) -> list[Mirror]:
    """The items of these names, whosever they are."""
    names, found = sorted(uids), []
    for start in range(0, len(names), _BATCH):
        query = _mirror().where(items.c.uid.in_(names[start : start + _BATCH]))
        found += list(_mirrors(session, query))
    return found


def customer_of(session: Session, billable_id: int) -> str | None:
    """The Stripe customer that a billable is now."""
    query = select(billables.c.stripe_customer_id).where(billables.c.id == billable_id)
    found: str | None = session.connection().execute(query).scalar()
    return found


def _of(column: Any, billable_id: int | None) -> ColumnElement[bool]:
    return true() if billable_id is None else column == billable_id


def _mirror() -> Select[Any]:
    one = select(func.max(overages.c.id)).where(overages.c.item_id == items.c.id).scalar_subquery()
    return (
        select(
            items.c.id,
            items.c.uid,
            (billables.c.type + ":" + billables.c.external_id).label("billable"),
            items.c.currency,
            items.c.status,
            items.c.reason,
            items.c.version,
            func.coalesce(items.c.final_minor, items.c.confirmed_minor).label("amount_minor"),
            items.c.may_overwrite,
            items.c.stripe_item_id,
            items.c.stripe_customer_id,
            one.label("overage_id"),
        )
        .select_from(items.join(billables, billables.c.id == items.c.billable_id))
        .order_by(items.c.id)
    )


def _mirrors(session: Session, query: Select[Any]) -> Iterator[Mirror]:
    for row in session.connection().execute(query).mappings():
        yield Mirror(**row)
