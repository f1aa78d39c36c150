"""Overages summed up by customer and status, and the items at Stripe that they are on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, RowMapping, and_, func, select
from sqlmodel import Session

from aimeter_cli.models.billables import Billable
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.items import InvoiceItem
from aimeter_cli.models.overages import Overage
from aimeter_cli.repositories.overages import among

_overages = table_of(Overage)
_billables = table_of(Billable)
_items = table_of(InvoiceItem)


@dataclass(frozen=True, slots=True)
class Touching:
    """Overages whose service period has some time in common with ``[since, until)``."""

    since: datetime | None
    until: datetime
    billable_id: int | None = None

    @property
    def condition(self) -> ColumnElement[bool]:
        c = _overages.c
        conditions = [c.period_start < self.until]
        if self.since is not None:
            conditions.append(c.period_end > self.since)
        if self.billable_id is not None:
            conditions.append(c.billable_id == self.billable_id)
        return and_(*conditions)


def overage_sums(session: Session, wanted: Touching) -> Iterator[RowMapping]:
    """``billable_id type external_id name currency status count amount``, in no order.

    ``amount`` is in ``currency``, the plan's.
    """
    c = _overages.c
    groups = (c.billable_id, c.currency, c.status)
    sums = (func.count().label("count"), func.sum(c.amount).label("amount"))
    inner = select(*groups, *sums).where(wanted.condition).group_by(*groups).subquery()
    b = _billables.c
    query = select(inner, b.type, b.external_id, b.name).join(
        _billables, b.id == inner.c.billable_id
    )
    yield from session.connection().execute(query).mappings()


def stripe_items(
    session: Session, wanted: Touching, billable_ids: Sequence[int]
) -> list[tuple[int, str, str]]:
    """(billable, plan's currency, ``ii_…``) of these billables, the latest periods first."""
    c = _overages.c
    item = func.coalesce(c.external_item_id, _items.c.stripe_item_id)
    query = (
        select(c.billable_id, c.currency, item)
        .select_from(_overages.outerjoin(_items, _items.c.id == c.item_id))
        .where(wanted.condition, among(c.billable_id, billable_ids), item.is_not(None))
        .group_by(c.billable_id, c.currency, item)
        .order_by(func.max(c.period_start).desc(), item)
    )
    return [(row[0], row[1], row[2]) for row in session.connection().execute(query)]
