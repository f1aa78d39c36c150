"""Pending invoice items at Stripe that may be stranded."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, exists, func, literal_column, or_, select
from sqlmodel import Session

from aimeter_cli.domain.references import BillableRef
from aimeter_cli.domain.stranded import SOON
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.final_invoices import FinalInvoice
from aimeter_cli.models.items import InvoiceItem
from aimeter_cli.models.overages import Overage
from aimeter_cli.models.subscriptions import Subscription

_items = table_of(InvoiceItem)
_subscriptions = table_of(Subscription)
_billables = table_of(Billable)
_finals = table_of(FinalInvoice)
_overages = table_of(Overage)


def perhaps_stranded(
    session: Session, now: datetime, billable: BillableRef | None = None
) -> list[Row[Any]]:
    """Pending items, oldest first, for which :func:`aimeter_cli.domain.stranded.stranded_reason`
    may have a reason: rows that are its ``Pending``, with names and ids.

    An item that Stripe has at 0 is owed by nobody, and left out.
    """
    facts = _subscriptions.c
    held = exists().where(_overages.c.item_id == _items.c.id, _overages.c.status == "held")
    query = (
        select(
            _items.c.id,
            _items.c.stripe_item_id,
            _items.c.stripe_customer_id,
            _items.c.period_end,
            _items.c.status.label("item_status"),
            held.label("has_held"),
            _finals.c.status.label("final_status"),
            _finals.c.reason.label("final_reason"),
            _finals.c.stripe_invoice_id.label("final_invoice"),
            (_billables.c.type + ":" + _billables.c.external_id).label("billable"),
            facts.stripe_subscription_id,
            facts.started_at,
            facts.ends_at,
            facts.trial_ends_at,
            facts.grace_period_ends_at,
            facts.expired_at,
            facts.paused_at,
            facts.is_incomplete,
            facts.current_period_end,
        )
        .select_from(
            _items.join(_subscriptions, facts.id == _items.c.subscription_id)
            .join(_billables, _billables.c.id == _items.c.billable_id)
            .outerjoin(
                _finals,
                and_(
                    _finals.c.subscription_id == _items.c.subscription_id,
                    _finals.c.currency == _items.c.currency,
                    _finals.c.status != literal_column("'done'"),  # at most one: uq_final_open
                ),
            )
        )
        .where(
            _items.c.status != literal_column("'closed'"),  # as the index of live items says it
            _items.c.stripe_item_id.is_not(None),
            _items.c.confirmed_minor > 0,
            or_(
                facts.ends_at <= now,
                facts.expired_at <= now,
                facts.grace_period_ends_at <= now,
                facts.paused_at <= now,
                func.coalesce(facts.current_period_end, _items.c.period_end) > now + SOON,
                _items.c.period_end <= now - SOON,
            ),
        )
        .order_by(_items.c.id)
    )
    if billable is not None:
        query = query.where(
            _billables.c.type == billable.type, _billables.c.external_id == billable.id
        )
    return list(session.connection().execute(query))
