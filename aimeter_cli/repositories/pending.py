"""Invoice items of a billable that Stripe has, or may have."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import or_
from sqlmodel import Session, col, select

from aimeter_cli.models.items import InvoiceItem

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
