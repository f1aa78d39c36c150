"""The rows behind one overage: its counter, its usages, its item and what was sent for it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from sqlalchemy import ColumnElement, Table, text
from sqlmodel import Session, col, func, select

from aimeter_cli.domain.money import to_nanos
from aimeter_cli.domain.pricing import TOKEN_FIELDS
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.final_invoices import FinalInvoice
from aimeter_cli.models.items import InvoiceItem, SyncAttempt
from aimeter_cli.models.overages import Overage
from aimeter_cli.models.plans import Plan
from aimeter_cli.models.usages import WAITING, Usage, UsageCounter, UsageDay

_usages = table_of(Usage)
_days = table_of(UsageDay)


def overage_row(
    session: Session, overage_id: int
) -> tuple[Overage, Billable, UsageCounter, Plan] | None:
    """An overage with its billable, its counter and the counter's plan."""
    found = session.exec(
        select(Overage, Billable, UsageCounter, Plan)
        .join(Billable, col(Billable.id) == Overage.billable_id)
        .join(UsageCounter, col(UsageCounter.id) == Overage.counter_id)
        .join(Plan, col(Plan.id) == UsageCounter.plan_id)
        .where(Overage.id == overage_id)
    ).first()
    return None if found is None else (found[0], found[1], found[2], found[3])


def newest_usages(session: Session, overage_id: int, limit: int) -> Sequence[Usage]:
    """The newest first."""
    return session.exec(
        select(Usage)
        .where(Usage.overage_id == overage_id)
        .order_by(col(Usage.occurred_at).desc(), col(Usage.id).desc())
        .limit(limit)
    ).all()


def usage_sum(session: Session, overage_id: int) -> tuple[int, int, Decimal]:
    """(how many, their tokens, their charges in the plan's currency) of all its usages."""
    tokens_of = func.sum(_tokens(_usages))
    query = select(func.count(), tokens_of, func.sum(_usages.c.charge)).where(
        _usages.c.overage_id == overage_id
    )
    count, tokens, charge = session.connection().execute(query).one()
    return int(count), int(tokens or 0), charge or Decimal(0)


def pruned_days(session: Session, overage_id: int) -> list[tuple[str, int, int, Decimal]]:
    """(day in UTC, requests, tokens, charge) of the usages that were pruned, oldest day first."""
    sums = (func.sum(_days.c.requests), func.sum(_tokens(_days)), func.sum(_days.c.charge))
    query = select(_days.c.day, *sums).where(_days.c.overage_id == overage_id)
    rows = session.connection().execute(query.group_by(_days.c.day).order_by(_days.c.day))
    return [(day, int(requests), int(tokens), charge) for day, requests, tokens, charge in rows]


def _tokens(table: Table) -> ColumnElement[int]:
    return sum((table.c[name] for name in TOKEN_FIELDS[1:]), start=table.c[TOKEN_FIELDS[0]])


def charged_by_counter(session: Session, counter_id: int) -> int:
    """Nanos of the plan's currency that all overages of a period come to."""
    query = select(func.sum(Overage.amount)).where(Overage.counter_id == counter_id)
    found = session.exec(query).one()
    return 0 if found is None else to_nanos(found)


def waiting_usages(session: Session, counter_id: int) -> int:
    """How many of a period have no cost in the plan's currency yet."""
    query = select(func.count()).select_from(Usage)
    return session.exec(query.where(Usage.counter_id == counter_id, text(WAITING))).one()


def carried_into(session: Session, item_id: int) -> Sequence[InvoiceItem]:
    """Closed items whose rest this item took."""
    query = select(InvoiceItem).where(InvoiceItem.carried_to_id == item_id)
    return session.exec(query.order_by(col(InvoiceItem.id))).all()


def on_item(session: Session, item_id: int) -> tuple[int, int]:
    """(how many, nanos) of the overages of an item that are not waived."""
    table = table_of(Overage)
    query = select(func.count(), func.sum(table.c.charge_amount)).where(
        table.c.item_id == item_id, table.c.status != "waived"
    )
    count, nanos = session.connection().execute(query).one()
    return int(count), 0 if nanos is None else to_nanos(nanos)


def attempts_for(
    session: Session, item: InvoiceItem, version: int, limit: int
) -> tuple[Sequence[SyncAttempt], int]:
    """The first attempts since a version of an item, those of its final invoice after them, and
    how many there are."""
    own = (col(SyncAttempt.item_id) == item.id) & (col(SyncAttempt.version) >= version)
    if item.final_invoice_id is not None:
        own |= col(SyncAttempt.final_invoice_id) == item.final_invoice_id
    rows = session.exec(
        select(SyncAttempt).where(own).order_by(col(SyncAttempt.id)).limit(limit)
    ).all()
    count = session.exec(select(func.count()).select_from(SyncAttempt).where(own)).one()
    return rows, int(count)


def item_and_invoice(session: Session, item_id: int) -> tuple[InvoiceItem, FinalInvoice | None]:
    """An item, with the invoice that we make for it, if we do."""
    item = session.get_one(InvoiceItem, item_id)
    if item.final_invoice_id is None:
        return item, None
    return item, session.get_one(FinalInvoice, item.final_invoice_id)
