"""Invoice items of a billable that Stripe has, or may have."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import or_
from sqlmodel import Session, col, select

from aimeter_cli.models.items import InvoiceItem
from aimeter_cli.models.overages import Overage

IN_FLIGHT = ("sending", "unknown")


def pending_items(
    session: Session, billable_id: int, subscription_id: int | None = None
) -> Sequence[InvoiceItem]:
    """Not closed, and known to be at Stripe or under way to it; of one subscription, or of all.

    Locked and read anew: nobody claims or settles them before this transaction ends.
    """
    statement = select(InvoiceItem).where(
        InvoiceItem.billable_id == billable_id,
        InvoiceItem.status != "closed",
        or_(col(InvoiceItem.stripe_item_id).is_not(None), col(InvoiceItem.status).in_(IN_FLIGHT)),
    )
    if subscription_id is not None:
        statement = statement.where(InvoiceItem.subscription_id == subscription_id)
    statement = statement.order_by(col(InvoiceItem.id)).with_for_update(key_share=True)
    return session.exec(statement.execution_options(populate_existing=True)).all()


def unsettled_currencies(session: Session, billable_id: int) -> set[str]:
    """Currencies of the billable's overages and items that are not invoiced yet."""
    overages = select(Overage.currency).where(
        Overage.billable_id == billable_id,
        col(Overage.status).not_in(("carried", "synced", "waived")),
    )
    items = {item.currency for item in pending_items(session, billable_id)}
    return items | set(session.exec(overages.distinct()).all())
