"""Overage on invoices that nobody pays any more, as the stored events of those invoices tell it.

The rows of events are never deleted, only their payloads: what is told here stays true for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import case, func, select, true
from sqlmodel import Session

from aimeter_cli.domain.money import minor_to_nanos
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.items import InvoiceItem
from aimeter_cli.models.webhook_events import WebhookEvent

_VOIDED, _UNCOLLECTIBLE = "invoice.voided", "invoice.marked_uncollectible"
_PAID = ("invoice.paid", "invoice.payment_succeeded")
_items, _billables, _events = table_of(InvoiceItem), table_of(Billable), table_of(WebhookEvent)
_paid = _events.alias("paid")


class LostItem(NamedTuple):
    """A closed item of ours; ``nanos`` is what it had on the invoice, ``since`` when it was lost.

    ``invoice_status`` is Stripe's word: ``void``, or ``uncollectible`` and not paid since.
    """

    item_id: int
    billable: str
    nanos: int
    currency: str
    stripe_invoice_id: str
    invoice_status: str
    since: datetime


def lost_items(
    session: Session,
    *,
    billable_id: int | None = None,
    item_id: int | None = None,
    since: datetime | None = None,
) -> Sequence[LostItem]:
    """The first lost first; ``since``: only those that were lost from then on."""
    is_void = func.max(case((_events.c.type == _VOIDED, 1), else_=0))
    is_paid = (
        select(_paid.c.id)
        .where(_paid.c.object_id == _items.c.stripe_invoice_id, _paid.c.type.in_(_PAID))
        .correlate(_items)
        .exists()
    )
    minor = func.coalesce(_items.c.final_minor, _items.c.confirmed_minor)
    lost_at = func.min(_events.c.created, type_=_events.c.created.type)
    name = _billables.c.type + ":" + _billables.c.external_id
    query = (
        select(
            _items.c.id,
            name,
            minor,
            _items.c.currency,
            _items.c.stripe_invoice_id,
            is_void,
            lost_at,
        )
        .select_from(
            _items.join(_events, _events.c.object_id == _items.c.stripe_invoice_id).join(
                _billables, _billables.c.id == _items.c.billable_id
            )
        )
        .where(
            _events.c.type.in_((_VOIDED, _UNCOLLECTIBLE)),
            minor > 0,
            (_events.c.type == _VOIDED) | ~is_paid,
            true() if billable_id is None else _items.c.billable_id == billable_id,
            true() if item_id is None else _items.c.id == item_id,
        )
        .group_by(_items.c.id, _billables.c.id)
        .having(true() if since is None else lost_at >= since)
        .order_by(lost_at, _items.c.id)
    )
    return [
        LostItem(
            row[0], row[1], minor_to_nanos(row[2], row[3]), row[3], row[4],
            "void" if row[5] else "uncollectible", row[6],
        )
        for row in session.connection().execute(query)
    ]  # fmt: skip
