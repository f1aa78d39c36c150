"""Which Stripe customer a billable is, and when that may change.

An invoice item that is pending for the old customer is emptied: the next sync sets it to 0 and
closes it, and only then puts its overages onto a new item of the new customer. What must not move
is an item whose request may still be under way: nobody could tell later where it went.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session

from aimeter_cli.domain.references import stripe_id
from aimeter_cli.errors import Conflict
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.items import InvoiceItem
from aimeter_cli.repositories.billables import find_by_customer
from aimeter_cli.repositories.items import empty_item
from aimeter_cli.repositories.pending import IN_FLIGHT, pending_items


def set_customer(
    session: Session, billable: Billable, text: str, *, option: str, force: bool, now: datetime
) -> None:
    """Set the Stripe customer of a billable.

    Raises InvalidInput for another shape of id; Conflict if the customer is another billable's,
    or if it would change while an invoice item is pending (see ``move_pending``).
    """
    customer = stripe_id(text, "cus", option)
    if customer == billable.stripe_customer_id:
        return
    other = find_by_customer(session, customer)
    if other is not None:
        raise Conflict(
            f"the Stripe customer {customer} belongs to the billable {other.ref}",
            hint="A customer stands for one billable; look it up in the Stripe dashboard.",
        )
    if billable.stripe_customer_id is not None:
        items = pending_items(session, billable.id)
        what = f"the Stripe customer of {billable.ref} ({billable.stripe_customer_id})"
        move_pending(session, items, what, force=force, now=now)
    billable.stripe_customer_id = customer
    session.add(billable)
    session.flush()


def move_pending(
    session: Session, items: Sequence[InvoiceItem], what: str, *, force: bool, now: datetime
) -> None:
    """Make room for another id: with ``force`` pending items are emptied for successors.

    Raises Conflict without it while an item is pending, and with it for an item that is not
    settled: in flight, failed or held.
    """
    for item in items:
        told = item.stripe_item_id or "not confirmed yet"
        if item.status in IN_FLIGHT:
            raise Conflict(
                f"{what} cannot change while a request for an invoice item is under way ({told})",
                hint="Run aimeter sync-stripe-overages first.",
            )
        if item.status != "idle":
            raise Conflict(
                f"{what} cannot change while an invoice item is {item.status} ({told})",
                hint="See aimeter overages list --unsynced, and settle it first.",
            )
    if items and not force:
        ids = ", ".join(item.stripe_item_id or "-" for item in items)
        raise Conflict(
            f"{what} cannot change while an invoice item is pending at Stripe ({ids})",
            hint="Wait for its invoice, or add --force: the next sync then sets the pending item "
            "to 0 and charges its overages under the new id.",
        )
    for item in items:
        empty_item(session, item.id, now)
