"""Pending overage of ended subscriptions, and the final invoices that take it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    and_,
    exists,
    func,
    or_,
    select,
    text,
    true,
    union,
    update,
)
from sqlmodel import Session, col
from sqlmodel import select as sqlmodel_select

from aimeter_cli.db.upsert import insert_into
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.final_invoices import FinalInvoice
from aimeter_cli.models.items import InvoiceItem, SyncAttempt
from aimeter_cli.models.overages import Overage
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.repositories.sendable import DIRTY, PENDING, UNSENT
from aimeter_cli.repositories.sendable import DUE as SENDING

invoices = table_of(FinalInvoice)
_items = table_of(InvoiceItem)
_overages = table_of(Overage)
_attempts = table_of(SyncAttempt)
_subscriptions = table_of(Subscription)

_UNSYNCED = text("ai_overages.status NOT IN ('carried', 'synced', 'waived')")  # as the index has it
_DUE = text("ai_final_invoices.status IN ('sending', 'unknown')")


def _is_over(now: datetime) -> ColumnElement[bool]:
    """At least those that :func:`aimeter_cli.domain.subscription.is_over` finds over."""
    facts = _subscriptions.c
    return or_(facts.ends_at <= now, facts.expired_at <= now, facts.grace_period_ends_at <= now)


def ended_with_pending(
    session: Session, now: datetime, billable_id: int | None
) -> Sequence[Subscription]:
    """Subscriptions that are over, or nearly so, with overage that is not on an invoice yet."""
    mine = true() if billable_id is None else _subscriptions.c.billable_id == billable_id
    facts = _subscriptions.c
    end = func.coalesce(facts.expired_at, facts.ends_at, facts.grace_period_ends_at)
    agreed = and_(_overages.c.released_at.is_not(None), _overages.c.released_at >= end)
    owed = exists().where(
        _overages.c.item_id == _items.c.id,
        _overages.c.status.in_(("synced", "carried")),
        ~agreed,
    )
    # From what is pending, which is little, to its subscriptions: those that ended become many.
    unsent = (
        select(facts.id)
        .select_from(_overages.join(_subscriptions, facts.id == _overages.c.subscription_id))
        .where(UNSENT, _is_over(now), mine, ~agreed)
    )
    pending = (
        select(facts.id)
        .select_from(_items.join(_subscriptions, facts.id == _items.c.subscription_id))
        .where(
            PENDING,
            _items.c.confirmed_minor > 0,
            _items.c.final_invoice_id.is_(None),
            _is_over(now),
            mine,
            owed,
        )
    )
    ids = union(unsent, pending)
    query = sqlmodel_select(Subscription).where(col(Subscription.id).in_(ids))
    return session.exec(query.order_by(col(Subscription.id))).all()


def _not_agreed(ended_at: datetime) -> ColumnElement[bool]:
    """Whether nobody has agreed, since the end, to charge an overage all the same."""
    return or_(_overages.c.released_at.is_(None), _overages.c.released_at < ended_at)


def give_up_unsent(
    session: Session, subscription_id: int, ended_at: datetime, now: datetime, **values: Any
) -> list[int]:
    """Change what is not sent yet and was not released since the end; the ids."""
    mine = and_(_overages.c.subscription_id == subscription_id, _not_agreed(ended_at))
    return _changed(session, and_(UNSENT, mine), now, values)


def give_up_on_items(
    session: Session, subscription_id: int, ended_at: datetime, now: datetime, **values: Any
) -> list[int]:
    """The same for what is on pending items that nobody is at work on and no invoice takes."""
    waiting = (
        select(_items.c.id)
        .where(
            _items.c.subscription_id == subscription_id,
            PENDING,
            _items.c.final_invoice_id.is_(None),
        )
        .order_by(_items.c.id)
        .with_for_update(skip_locked=True, key_share=True)
    )
    ids = list(session.connection().execute(waiting).scalars())
    chosen = and_(
        _overages.c.item_id.in_(ids),
        _overages.c.status.in_(("synced", "carried")),
        _not_agreed(ended_at),
    )
    return _changed(session, chosen, now, values)


def held_though_it_goes_on(
    session: Session, reason: str, now: datetime, billable_id: int | None
) -> list[int]:
    """Overages held for that reason whose subscription is not over any more."""
    over = select(_subscriptions.c.id).where(_is_over(now))
    mine = true() if billable_id is None else _overages.c.billable_id == billable_id
    held = and_(_UNSYNCED, _overages.c.status == "held", _overages.c.reason == reason)
    query = select(_overages.c.id).where(held, mine, _overages.c.subscription_id.not_in(over))
    return list(session.connection().execute(query).scalars())


def take_back(session: Session, ids: Sequence[int], reason: str, now: datetime) -> None:
    """They are where they were before they were held: on their item, or to be sent."""
    held = and_(_overages.c.id.in_(ids), _overages.c.status == "held", _overages.c.reason == reason)
    free = {"reason": None, "last_error": None}
    on_item = {"status": "synced", "synced_at": now}
    _changed(session, and_(held, _overages.c.item_id.is_not(None)), now, free | on_item)
    _changed(session, held, now, free | {"status": "frozen"})


def _changed(
    session: Session, chosen: ColumnElement[bool], now: datetime, values: dict[str, Any]
) -> list[int]:
    statement = update(_overages).where(chosen).values(**values, updated_at=now)
    return list(session.connection().execute(statement.returning(_overages.c.id)).scalars())


def soil_items_of(session: Session, overage_ids: Sequence[int]) -> None:
    """The items of these overages must be set anew."""
    touched = select(_overages.c.item_id).where(_overages.c.id.in_(overage_ids))
    session.connection().execute(
        update(_items).where(_items.c.id.in_(touched)).values(is_dirty=True)
    )


class Uninvoiced(NamedTuple):
    """What one final invoice is for."""

    subscription_id: int
    billable_id: int
    currency: str


def uninvoiced(session: Session, now: datetime, billable_id: int | None) -> list[Uninvoiced]:
    """Ended subscriptions whose pending items are all settled, and on no invoice."""
    over = select(_subscriptions.c.id).where(_is_over(now))
    # Not correlated: each is read once by its index, however many items there are.
    unfinished = union(
        select(_items.c.subscription_id).where(SENDING),
        select(_items.c.subscription_id).where(DIRTY),
    )
    unsent = select(_overages.c.subscription_id).where(UNSENT)
    begun = exists().where(
        invoices.c.subscription_id == _items.c.subscription_id,
        invoices.c.currency == _items.c.currency,
        invoices.c.status != "done",
    )
    mine = true() if billable_id is None else _items.c.billable_id == billable_id
    query = (
        select(_items.c.subscription_id, _items.c.billable_id, _items.c.currency)
        .where(
            is_takeable(),
            mine,
            _items.c.subscription_id.in_(over),
            _items.c.subscription_id.not_in(unfinished),
            _items.c.subscription_id.not_in(unsent),
            ~begun,
        )
        .distinct()
        .order_by(_items.c.subscription_id, _items.c.currency)
    )
    return [Uninvoiced(*row) for row in session.connection().execute(query)]


def is_takeable() -> ColumnElement[bool]:
    """Pending items that owe something, are on no invoice, and of which nothing is held."""
    held = exists().where(_overages.c.item_id == _items.c.id, _overages.c.status == "held")
    return and_(
        PENDING,
        _items.c.confirmed_minor > 0,
        _items.c.is_dirty.is_(False),
        _items.c.final_invoice_id.is_(None),
        _items.c.stripe_invoice_id.is_(None),
        ~held,
    )


def lock_takeable(session: Session, what: Uninvoiced, limit: int) -> Sequence[RowMapping]:
    query = (
        select(_items)
        .where(
            _items.c.subscription_id == what.subscription_id,
            _items.c.currency == what.currency,
            is_takeable(),
        )
        .order_by(_items.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True, key_share=True, of=_items)
    )
    return session.connection().execute(query).mappings().all()


def due_ids(
    session: Session, clock: datetime, *, retry_now: bool, billable_id: int | None
) -> list[int]:
    """Final invoices left by a dead process, or whose back-off is over."""
    abandoned = and_(invoices.c.status == "sending", invoices.c.lease_expires_at < clock)
    patience = true() if retry_now else invoices.c.not_before <= clock
    waiting = and_(invoices.c.status == "unknown", patience)
    mine = true() if billable_id is None else invoices.c.billable_id == billable_id
    query = select(invoices.c.id).where(_DUE, or_(abandoned, waiting), mine)
    return list(session.connection().execute(query.order_by(invoices.c.id)).scalars())


def has_unreleased(session: Session, item_id: int, ended_at: datetime) -> bool:
    """Whether an item holds overage that no operator has agreed to charge since the end."""
    query = select(_overages.c.id).where(
        _overages.c.item_id == item_id,
        _not_agreed(ended_at),
        _overages.c.status != "waived",
    )
    return session.connection().execute(query.limit(1)).first() is not None


def insert_invoice(session: Session, **values: Any) -> int | None:
    """None: the subscription has one that is not done, which somebody else has just begun."""
    connection = session.connection()
    statement = insert_into(connection.dialect.name, invoices).values(**values)
    made = connection.execute(statement.on_conflict_do_nothing().returning(invoices.c.id))
    return made.scalar_one_or_none()


def lock_invoice(session: Session, invoice_id: int) -> RowMapping | None:
    """A due one by its id, locked, if nobody else has it."""
    query = select(invoices).where(invoices.c.id == invoice_id, _DUE)
    locked = query.with_for_update(skip_locked=True, key_share=True)
    return session.connection().execute(locked).mappings().first()


def invoice_by_id(session: Session, invoice_id: int) -> RowMapping:
    query = select(invoices).where(invoices.c.id == invoice_id)
    return session.connection().execute(query).mappings().one()


def stopped_invoice(
    session: Session, subscription_id: int, currency: str | None
) -> RowMapping | None:
    """The one of a subscription and currency that waits for an operator, locked."""
    query = select(invoices).where(
        invoices.c.subscription_id == subscription_id,
        invoices.c.currency == currency,
        invoices.c.status.in_(("failed", "held")),
    )
    return session.connection().execute(query.with_for_update(key_share=True)).mappings().first()


def is_being_finalised(session: Session, item_id: int) -> bool:
    """Whether the final invoice of an item is finalised, may be, or somebody is at it just now."""
    in_doubt = and_(invoices.c.status == "unknown", invoices.c.unanswered_at.is_not(None))
    query = (
        select(invoices.c.id)
        .select_from(_items.join(invoices, invoices.c.id == _items.c.final_invoice_id))
        .where(
            _items.c.id == item_id,
            invoices.c.phase == "finalize",
            or_(invoices.c.status.in_(("sending", "done")), in_doubt),
        )
    )
    return session.connection().execute(query).first() is not None


def set_invoice(session: Session, invoice_id: int, /, **values: Any) -> None:
    session.connection().execute(
        update(invoices).where(invoices.c.id == invoice_id).values(**values)
    )


def set_leased(session: Session, invoice_id: int, token: str, **values: Any) -> bool:
    """Change an invoice whose lease is still ours. False: another process has taken it over."""
    result = session.connection().execute(
        update(invoices)
        .where(
            invoices.c.id == invoice_id,
            invoices.c.lease_token == token,
            invoices.c.status == "sending",
        )
        .values(**values)
    )
    return result.rowcount == 1


def items_of(session: Session, invoice_id: int) -> Sequence[RowMapping]:
    query = select(_items).where(_items.c.final_invoice_id == invoice_id).order_by(_items.c.id)
    return session.connection().execute(query).mappings().all()


def lock_items_of(session: Session, invoice_id: int) -> Sequence[RowMapping]:
    """Those that nobody else has in hand, locked."""
    query = select(_items).where(_items.c.final_invoice_id == invoice_id).order_by(_items.c.id)
    locked = query.with_for_update(skip_locked=True, key_share=True)
    return session.connection().execute(locked).mappings().all()


def overages_of(session: Session, invoice_id: int) -> list[int]:
    query = (
        select(_overages.c.id)
        .select_from(_overages.join(_items, _items.c.id == _overages.c.item_id))
        .where(_items.c.final_invoice_id == invoice_id, _overages.c.status != "waived")
        .order_by(_overages.c.id)
    )
    return list(session.connection().execute(query).scalars())


def attempt_of(
    session: Session, invoice_id: int, version: int, generation: int
) -> RowMapping | None:
    query = select(_attempts).where(*_attempt(invoice_id, version, generation))
    return session.connection().execute(query).mappings().first()


def set_attempt(
    session: Session, invoice_id: int, version: int, generation: int, **values: Any
) -> None:
    session.connection().execute(
        update(_attempts).where(*_attempt(invoice_id, version, generation)).values(**values)
    )


def _attempt(invoice_id: int, version: int, generation: int) -> tuple[ColumnElement[bool], ...]:
    return (
        _attempts.c.final_invoice_id == invoice_id,
        _attempts.c.version == version,
        _attempts.c.generation == generation,
    )


def last_generation(session: Session, invoice_id: int, version: int) -> int | None:
    query = select(func.max(_attempts.c.generation)).where(
        _attempts.c.final_invoice_id == invoice_id, _attempts.c.version == version
    )
    return session.connection().execute(query).scalar()
