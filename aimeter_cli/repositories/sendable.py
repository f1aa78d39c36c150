"""Which overages can be sent, oldest first.

Every predicate on the unsent rows repeats the partial index's text, so that its cost does not grow
with history (MEASURED.md: 0.02 ms among a million rows).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    func,
    literal,
    literal_column,
    select,
    text,
    true,
    update,
)
from sqlmodel import Session

from aimeter_cli.models.billables import Billable
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.items import InvoiceItem
from aimeter_cli.models.overages import Overage

overages = table_of(Overage)
items = table_of(InvoiceItem)
billables = table_of(Billable)

UNSENT = text(
    "ai_overages.item_id IS NULL AND ai_overages.status IN ('open', 'frozen', 'needs_rate')"
)
DUE = text("ai_invoice_items.status IN ('sending', 'unknown')")
DIRTY = text("ai_invoice_items.status = 'idle' AND ai_invoice_items.is_dirty")
UNSYNCED = text("ai_overages.status NOT IN ('carried', 'synced', 'waived')")
PENDING = text("ai_invoice_items.status = 'idle' AND ai_invoice_items.stripe_item_id IS NOT NULL")
_billed_in = func.coalesce(billables.c.currency, overages.c.currency)
_charge_currency = func.coalesce(overages.c.charge_currency, _billed_in)


@dataclass(frozen=True, slots=True)
class ItemKey:
    """What one pending invoice item is for."""

    billable_id: int
    subscription_id: int
    period_start: datetime
    currency: str


live = and_(
    items.c.billable_id == overages.c.billable_id,
    items.c.subscription_id == overages.c.subscription_id,
    items.c.period_start == overages.c.period_start,
    items.c.currency == _charge_currency,
    items.c.status != literal_column("'closed'"),
)
# Not an outer join: PostgreSQL would expect one row of it, and sort all that is due for fifty.
_is_busy = (
    select(literal_column("1"))
    .select_from(items)
    .where(live, items.c.status != literal_column("'idle'"))
    .correlate(overages, billables)
    .exists()
)


def _unsent() -> Select[Any]:
    return (
        select(
            overages.c.id,
            overages.c.billable_id,
            overages.c.subscription_id,
            overages.c.period_start,
            _charge_currency.label("currency"),
        )
        .select_from(overages.join(billables, billables.c.id == overages.c.billable_id))
        .where(UNSENT)
    )


def _sendable(billable_id: int | None) -> Select[Any]:
    """No row is selected that cannot be sent: such rows would starve the others."""
    query = _unsent().where(
        overages.c.status != literal_column("'needs_rate'"),
        billables.c.stripe_customer_id.is_not(None),
        ~_is_busy,
    )
    return query if billable_id is None else query.where(overages.c.billable_id == billable_id)


def oldest_sendable(
    session: Session, limit: int, billable_id: int | None = None
) -> dict[ItemKey, list[int]]:
    """The ``limit`` oldest sendable overages, grouped by the item they belong to."""
    given = {"most": limit} | ({} if billable_id is None else {"one": billable_id})
    rows = session.connection().execute(_oldest(of_one=billable_id is not None), given)
    groups: dict[ItemKey, list[int]] = {}
    for row in rows:
        key = ItemKey(row.billable_id, row.subscription_id, row.period_start, row.currency)
        groups.setdefault(key, []).append(row.id)
    return groups


@cache
def _oldest(*, of_one: bool) -> Select[Any]:
    """Built once: that costs more than running it."""
    query = _sendable(None)
    if of_one:
        query = query.where(overages.c.billable_id == bindparam("one"))
    return query.order_by(overages.c.id).limit(bindparam("most"))


class Left(NamedTuple):
    """``waiting`` of the ``sendable`` overages wait for their back-off, until ``next_try``;
    ``in_hand`` are leased to a run, under way or killed, until ``leased_until`` at the latest."""

    sendable: int
    waiting: int
    next_try: datetime | None
    in_hand: int
    leased_until: datetime | None


def count_left(session: Session, now: datetime, billable_id: int | None = None) -> Left:
    """How many overages could still be sent, at ``now`` (the database's clock) or later."""
    connection = session.connection()
    fresh = connection.execute(
        select(func.count()).select_from(_sendable(billable_id).subquery())
    ).scalar_one()
    begun = (
        select(func.count(), func.min(items.c.not_before), func.max(items.c.lease_expires_at))
        .select_from(overages.join(items, overages.c.item_id == items.c.id))
        .where(
            DUE,
            overages.c.in_version == items.c.version,
            overages.c.status != "waived",
            _for_billable(billable_id),
        )
    )
    in_all, _, _ = connection.execute(begun).one()
    waiting, next_try, _ = connection.execute(
        begun.where(items.c.status == "unknown", items.c.not_before > now)
    ).one()
    in_hand, _, until = connection.execute(
        begun.where(items.c.status == "sending", items.c.lease_expires_at >= now)
    ).one()
    return Left(int(fresh) + int(in_all), int(waiting), next_try, int(in_hand), until)


def is_due(now: datetime, *, retry_now: bool) -> ColumnElement[bool]:
    """Items left by a dead process, or whose back-off is over."""
    abandoned = and_(items.c.status == "sending", items.c.lease_expires_at < now)
    patience = true() if retry_now else items.c.not_before <= now
    return abandoned | and_(items.c.status == "unknown", patience)


@dataclass(frozen=True, slots=True)
class WaitingItem:
    """An item to go on with, and how many overages it has in flight."""

    item_id: int
    billable_id: int
    overages: int


def due_items(
    session: Session, now: datetime, *, retry_now: bool, billable_id: int | None = None
) -> list[WaitingItem]:
    """Items left by a dead process or whose back-off is over, longest waiting first."""
    query = (
        select(items.c.id, items.c.billable_id, func.count(overages.c.id))
        .select_from(
            items.outerjoin(
                overages,
                and_(
                    overages.c.item_id == items.c.id,
                    overages.c.in_version == items.c.version,
                    overages.c.status != "waived",
                ),
            )
        )
        .where(DUE, is_due(now, retry_now=retry_now), _for_billable(billable_id))
        .group_by(items.c.id, items.c.billable_id, items.c.not_before)
        .order_by(items.c.not_before, items.c.id)
    )
    return [WaitingItem(row[0], row[1], row[2]) for row in session.connection().execute(query)]


def dirty_items(session: Session, billable_id: int | None = None) -> list[WaitingItem]:
    """Idle items whose overages changed, so that their amount must be set anew."""
    query = (
        select(items.c.id, items.c.billable_id)
        .where(DIRTY, _for_billable(billable_id))
        .order_by(items.c.id)
    )
    return [WaitingItem(row[0], row[1], 0) for row in session.connection().execute(query)]


def closing_items(
    session: Session, now: datetime, clock: datetime, limit: int, billable_id: int | None = None
) -> list[tuple[int, int, str]]:
    """Idle items at Stripe whose period is over at ``now``: (id, version, Stripe's id).

    Those of a period that goes on, too, where an event gave reason to look (``check_after`` NULL).
    """
    query = (
        select(items.c.id, items.c.version, items.c.stripe_item_id)
        .where(
            PENDING,
            _for_billable(billable_id),
            (items.c.check_after.is_(None))
            | ((items.c.period_end <= now) & (items.c.check_after <= clock)),
        )
        .order_by(items.c.period_end)
        .limit(limit)
    )
    return [(row[0], row[1], row[2]) for row in session.connection().execute(query)]


def _for_billable(billable_id: int | None) -> ColumnElement[bool]:
    return true() if billable_id is None else items.c.billable_id == billable_id


def rate_pairs(session: Session) -> Sequence[tuple[str, str]]:
    """(plan's, customer's currency) of the rows that wait for a rate."""
    query = (
        select(overages.c.currency, _billed_in)
        .select_from(overages.join(billables, billables.c.id == overages.c.billable_id))
        .where(UNSENT, overages.c.status == "needs_rate")
        .distinct()
    )
    return [(row[0], row[1]) for row in session.connection().execute(query)]


def renew(session: Session, base: str, quote: str, now: datetime) -> None:
    """Rows that waited for this rate can be sent again."""
    payers = select(billables.c.id).where(
        func.coalesce(billables.c.currency, literal(base)) == quote
    )
    session.connection().execute(
        update(overages)
        .where(
            overages.c.status == "needs_rate",
            overages.c.currency == base,
            overages.c.billable_id.in_(payers),
        )
        .values(status="frozen", reason=None, updated_at=now)
    )
