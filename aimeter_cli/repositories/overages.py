"""Overages as they are listed and shown, with their billable and their item at Stripe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    and_,
    bindparam,
    column,
    func,
    select,
    table,
    text,
)
from sqlmodel import Session

from aimeter_cli.domain.periods import Period
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.overages import UNSYNCED, Overage

overages = table_of(Overage)
# Only the columns that a listing needs: building the models of these two would cost it more than
# the query does.
items = table(
    "ai_invoice_items", column("id"), column("stripe_item_id"), column("status"),
    column("final_invoice_id"),
)  # fmt: skip
billables = table("ai_billables", column("id"), column("type"), column("external_id"))

_UNSYNCED = text("ai_overages.status NOT IN ('carried', 'synced', 'waived')")


@dataclass(frozen=True, slots=True)
class OverageView:
    """One overage. ``amount`` is in ``currency``, the plan's; ``charge_amount`` in the customer's,
    once it has been converted. ``item_status`` is that of its invoice item, if it has one;
    ``run_id`` is the sync that dealt with it last, ``stranded_reason`` told where it was asked."""

    id: int
    billable: str
    subscription_id: int
    period_start: datetime
    period_end: datetime
    tokens: int
    amount: Decimal
    currency: str
    status: str
    synced_at: datetime | None
    stripe_invoice_item_id: str | None
    attempts: int
    last_error: str | None
    reason: str | None
    charge_amount: Decimal | None
    charge_currency: str | None
    exchange_rate: Decimal | None
    item_id: int | None
    item_status: str | None
    is_external: bool
    run_id: str | None
    stranded_reason: str | None = None

    @property
    def is_synced(self) -> bool:
        return self.status == "synced"


@dataclass(frozen=True, slots=True)
class Filter:
    """``statuses`` None: any. ``period``: whose service period begins in this range. ``items``:
    only what is owed on one of these invoice items."""

    statuses: tuple[str, ...] | None = None
    billable: BillableRef | None = None
    period: Period | None = None
    run_id: str | None = None
    items: tuple[int, ...] | None = None

    @property
    def only_unsynced(self) -> bool:
        return self.statuses is not None and set(self.statuses) <= set(UNSYNCED)


def find_overages(session: Session, wanted: Filter, limit: int | None) -> list[OverageView]:
    """The newest first."""
    query = _matching(_select(), wanted).order_by(overages.c.id.desc()).limit(limit)
    return [_view(row) for row in session.connection().execute(query).mappings()]


def totals(session: Session, wanted: Filter) -> list[tuple[str, int, Decimal]]:
    """(currency, count, amount) of everything that matches, not only of what is shown."""
    query = _matching(
        select(overages.c.currency, func.count(), func.sum(overages.c.amount)).select_from(
            overages.join(billables, billables.c.id == overages.c.billable_id)
        ),
        wanted,
    ).group_by(overages.c.currency)
    rows = session.connection().execute(query.order_by(overages.c.currency))
    return [(row[0], row[1], row[2]) for row in rows]


def overage_views(session: Session, ids: Sequence[int]) -> list[OverageView]:
    query = _select().where(among(overages.c.id, ids)).order_by(overages.c.id)
    return [_view(row) for row in session.connection().execute(query).mappings()]


def ids_of_run(session: Session, run_id: str) -> list[int]:
    """The overages that a run dealt with last, but for waived ones."""
    query = (
        select(overages.c.id)
        .where(overages.c.run_id == run_id, overages.c.status != "waived")
        .order_by(overages.c.id)
    )
    return list(session.connection().execute(query).scalars())


def count_on_items(session: Session, item_ids: Sequence[int]) -> int:
    """How many overages are owed on these invoice items."""
    query = select(func.count()).select_from(overages).where(_owed_on(item_ids))
    return int(session.connection().execute(query).scalar_one())


@dataclass(frozen=True, slots=True)
class Unsynced:
    """Overages of one status; ``oldest_at``: when the oldest of them began."""

    status: str
    currency: str
    count: int
    amount: Decimal
    oldest_at: datetime


def unsynced(session: Session) -> list[Unsynced]:
    """What is on no invoice yet and not given up, by status and by the plan's currency."""
    query = (
        select(
            overages.c.status,
            overages.c.currency,
            func.count(),
            func.sum(overages.c.amount),
            func.min(overages.c.created_at),
        )
        .where(_UNSYNCED)
        .group_by(overages.c.status, overages.c.currency)
    )
    return [Unsynced(*row) for row in session.connection().execute(query)]


_ON_OR_BEHIND = (
    "ai_overages o JOIN ai_invoice_items i ON i.status <> 'closed' AND (i.id = o.item_id"
    " OR i.stripe_item_id = o.external_item_id"
    " OR (o.item_id IS NULL AND o.status IN ('open', 'frozen', 'waived')"
    " AND i.billable_id = o.billable_id AND i.subscription_id = o.subscription_id"
    " AND i.period_start = o.period_start))"
)
"""An overage with the open item that it is on, behind which it waits, or that it names as external.

Those of an item that leaves for another customer are behind it: it has none of its own any more.
"""


def ids_on_failed_items(session: Session) -> list[int]:
    """The overages whose item or final invoice failed, those confirmed before included."""
    query = text(
        f"SELECT o.id FROM {_ON_OR_BEHIND} WHERE i.status = 'failed'"
        " UNION SELECT max(o.id) FROM ai_overages o JOIN ai_final_invoices f"
        " ON f.billable_id = o.billable_id AND f.subscription_id = o.subscription_id"
        " AND f.currency = o.charge_currency"
        " WHERE f.status = 'failed' GROUP BY f.id"
        " ORDER BY 1"
    )
    return list(session.connection().execute(query).scalars())


def stopped_items(session: Session, overage_ids: Sequence[int]) -> list[tuple[int, str]]:
    """(id, status) of the failed and held items that these overages are on or behind."""
    query = text(
        f"SELECT DISTINCT i.id, i.status FROM {_ON_OR_BEHIND}"
        " WHERE o.id IN :ids AND i.status IN ('failed', 'held') ORDER BY i.id"
    ).bindparams(bindparam("ids", overage_ids, expanding=True, literal_execute=True))
    return [(row[0], row[1]) for row in session.connection().execute(query)]


def stopped_item_of(session: Session, overage_id: int, status: str) -> int | None:
    """The failed or held item, as ``status`` says, that an overage is on or behind."""
    found = stopped_items(session, [overage_id])
    return next((item_id for item_id, its in found if its == status), None)


def among(column: ColumnElement[int], numbers: Sequence[int]) -> ColumnElement[bool]:
    """``column IN (…)`` for any number of numbers: they are no parameters of the statement."""
    return column.in_(bindparam(None, numbers, expanding=True, literal_execute=True))


def _owed_on(item_ids: Sequence[int]) -> ColumnElement[bool]:
    return and_(among(overages.c.item_id, item_ids), overages.c.status != "waived")


def _select() -> Select[Any]:
    return select(
        overages,
        billables.c.type,
        billables.c.external_id,
        items.c.stripe_item_id,
        items.c.status.label("item_status"),
    ).select_from(
        overages.join(billables, billables.c.id == overages.c.billable_id).outerjoin(
            items, items.c.id == overages.c.item_id
        )
    )


def _matching(query: Select[Any], wanted: Filter) -> Select[Any]:
    if wanted.only_unsynced:
        query = query.where(_UNSYNCED)
    if wanted.statuses is not None and set(wanted.statuses) != set(UNSYNCED):
        query = query.where(overages.c.status.in_(wanted.statuses))
    if wanted.billable is not None:
        who = and_(
            billables.c.type == wanted.billable.type,
            billables.c.external_id == wanted.billable.id,
        )
        query = query.where(who)
    if wanted.period is not None:
        query = query.where(
            overages.c.period_start >= wanted.period.start,
            overages.c.period_start < wanted.period.end,
        )
    if wanted.run_id is not None:
        query = query.where(overages.c.run_id == wanted.run_id)
    if wanted.items is not None:
        query = query.where(_owed_on(wanted.items))
    return query


def _view(row: RowMapping) -> OverageView:
    return OverageView(
        id=row["id"],
        billable=f"{row['type']}:{row['external_id']}",
        subscription_id=row["subscription_id"],
        period_start=row["period_start"],
        period_end=row["period_end"],
        tokens=row["tokens"],
        amount=row["amount"],
        currency=row["currency"],
        status=row["status"],
        synced_at=row["synced_at"],
        stripe_invoice_item_id=row["external_item_id"] or row["stripe_item_id"],
        attempts=row["attempts"],
        last_error=row["last_error"],
        reason=row["reason"],
        charge_amount=row["charge_amount"],
        charge_currency=row["charge_currency"],
        exchange_rate=row["exchange_rate"],
        item_id=row["item_id"],
        item_status=row["item_status"],
        is_external=row["external_item_id"] is not None,
        run_id=row["run_id"],
    )
