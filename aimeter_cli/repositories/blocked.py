"""Overages that wait for a person, by reason: counted in the database, the first few by name."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    String,
    and_,
    bindparam,
    case,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
    text,
    true,
    type_coerce,
    union_all,
)
from sqlmodel import Session

from aimeter_cli.models.columns import table_of
from aimeter_cli.models.final_invoices import FinalInvoice
from aimeter_cli.repositories.sendable import UNSENT, UNSYNCED, billables, items, live, overages

finals = table_of(FinalInvoice)
_STOPPED = ("failed", "held")
_item_is_open = items.c.status != literal_column("'closed'")  # as the index of live items says it
_nothing = type_coerce(null(), String)
_of_billable = (
    (billables.c.type + ":" + billables.c.external_id).label("billable"),
    billables.c.currency.label("billed_in"),
    billables.c.stripe_customer_id.label("customer"),
)


class BlockedGroup(NamedTuple):
    """Overages that cannot be sent for one reason: ``kind``, and what is known as ``detail``.

    ``rows`` are the first of a ``number`` of them.
    """

    kind: str
    detail: str | None
    number: int
    rows: Sequence[BlockedRow]


class BlockedRow(NamedTuple):
    """``currency`` is the plan's, ``billed_in`` the customer's, where it was told."""

    overage_id: int
    billable: str
    currency: str
    billed_in: str | None
    customer: str | None


_FIELDS = ("id", "billable", "plan_currency", "billed_in", "customer")


def blocked_groups(session: Session, billable_id: int | None, examples: int) -> list[BlockedGroup]:
    """No customer, no rate, held, failed, or behind an item or an invoice that is."""
    asked = {"billable_id": billable_id, "examples": examples}
    groups: dict[tuple[str, str | None], tuple[int, list[BlockedRow]]] = {}
    for row in session.connection().execute(_first_of_each(billable_id is not None), asked):
        _, found = groups.setdefault((row.kind, row.detail), (row.of_kind, []))
        found.append(BlockedRow(*(getattr(row, name) for name in _FIELDS)))
    return [
        BlockedGroup(kind, detail, count, found)
        for (kind, detail), (count, found) in groups.items()
    ]


@cache
def _first_of_each(of_one: bool) -> Select[Any]:
    """The first :examples of each group; ``of_one``: of :billable_id."""
    rows = union_all(
        _unsent(of_one), _stopped(of_one), _on_stopped_items(of_one), _on_stopped_invoices(of_one)
    ).subquery()
    alike = (rows.c.kind, rows.c.detail)
    numbered = select(
        rows,
        func.count().over(partition_by=alike).label("of_kind"),
        func.row_number().over(partition_by=alike, order_by=rows.c.id).label("place"),
    ).subquery()
    first = select(numbered).where(numbered.c.place <= bindparam("examples", type_=Integer))
    return first.order_by(numbered.c.id, numbered.c.kind)


def _unsent(of_one: bool) -> Select[Any]:
    """What nobody has claimed, because it has no customer, no rate, or its item has stopped."""
    no_customer = billables.c.stripe_customer_id.is_(None)
    no_rate = overages.c.status == "needs_rate"
    return (
        select(
            *_overage(),
            case(
                (no_customer, "no_customer"),
                (no_rate, "needs_rate"),
                else_=literal("item_") + items.c.status,
            ).label("kind"),
            case(
                (no_customer, _nothing),
                (no_rate, overages.c.reason),
                else_=items.c.reason,
            ).label("detail"),
        )
        .select_from(
            overages.join(billables, billables.c.id == overages.c.billable_id).outerjoin(
                items, live
            )
        )
        .where(
            UNSENT,
            _mine(overages.c.billable_id, of_one),
            no_customer | no_rate | items.c.status.in_(_STOPPED),
        )
    )


def _stopped(of_one: bool) -> Select[Any]:
    """What is held or failed itself."""
    return (
        select(
            *_overage(),
            overages.c.status.label("kind"),
            func.coalesce(overages.c.reason, overages.c.last_error).label("detail"),
        )
        .select_from(overages.join(billables, billables.c.id == overages.c.billable_id))
        .where(UNSYNCED, overages.c.status.in_(_STOPPED), _mine(overages.c.billable_id, of_one))
    )


def _on_stopped_items(of_one: bool) -> Select[Any]:
    """Settled or waived overages whose item could not be made right since: one for each item."""
    told_already = func.sum(case((overages.c.status.in_(_STOPPED), 1), else_=0))
    # An item that leaves for another customer has no overages any more; waived ones name it.
    given_up = and_(
        overages.c.item_id.is_(None),
        overages.c.status == "waived",
        overages.c.billable_id == items.c.billable_id,
        overages.c.subscription_id == items.c.subscription_id,
        overages.c.period_start == items.c.period_start,
    )
    return (
        select(
            *_newest(),
            (literal("item_") + items.c.status).label("kind"),
            items.c.reason.label("detail"),
        )
        .select_from(
            items.join(overages, or_(overages.c.item_id == items.c.id, given_up)).join(
                billables, billables.c.id == items.c.billable_id
            )
        )
        .where(_item_is_open, items.c.status.in_(_STOPPED), _mine(items.c.billable_id, of_one))
        .group_by(items.c.id, billables.c.id)
        .having(told_already == 0)
    )


def _on_stopped_invoices(of_one: bool) -> Select[Any]:
    """One overage of each final invoice that waits for an operator."""
    is_open = text("ai_final_invoices.status <> 'done'")
    return (
        select(
            *_newest(),
            (literal("invoice_") + finals.c.status).label("kind"),
            finals.c.reason.label("detail"),
        )
        .select_from(
            finals.join(
                overages,
                and_(
                    overages.c.billable_id == finals.c.billable_id,
                    overages.c.subscription_id == finals.c.subscription_id,
                    overages.c.charge_currency == finals.c.currency,
                ),
            ).join(billables, billables.c.id == finals.c.billable_id)
        )
        .where(is_open, finals.c.status.in_(_STOPPED), _mine(finals.c.billable_id, of_one))
        .group_by(finals.c.id, billables.c.id)
    )


def _overage() -> tuple[ColumnElement[Any], ...]:
    return (overages.c.id, overages.c.currency.label("plan_currency"), *_of_billable)


def _newest() -> tuple[ColumnElement[Any], ...]:
    """The newest overage of a group, and its plan's currency."""
    currency = func.max(overages.c.currency).label("plan_currency")
    return (func.max(overages.c.id).label("id"), currency, *_of_billable)


def _mine(column: ColumnElement[int], of_one: bool) -> ColumnElement[bool]:
    return column == bindparam("billable_id", type_=BigInteger) if of_one else true()
