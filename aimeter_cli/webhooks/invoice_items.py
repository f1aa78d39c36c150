"""Our invoice items as invoices take them, and ``invoiceitem.deleted``.

What an invoice has closed is read at Stripe and closed by the sync, which knows how; an event only
says that it is time to look.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import RowMapping, and_, bindparam, or_, select, update

from aimeter_cli.domain.money import Money, minor_to_nanos
from aimeter_cli.domain.stripe_payloads import StripeInvoice
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.items import InvoiceItem
from aimeter_cli.repositories.items import item_by_id
from aimeter_cli.repositories.sendable import PENDING
from aimeter_cli.services.sync.events import tell_failed
from aimeter_cli.services.sync.settle import DELETED, hold_deleted
from aimeter_cli.webhooks.handling import Handling, Row
from aimeter_cli.webhooks.results import Outcome, differences

_items, _billables = table_of(InvoiceItem), table_of(Billable)

# Built once: building a statement costs more than running it.
_NAMED = _items.c.stripe_item_id.in_(bindparam("named", expanding=True))
_BY_STRIPE_ID = (
    select(_items)
    .where(_items.c.stripe_item_id == bindparam("stripe_id"))
    .with_for_update(key_share=True)
)
_ON_INVOICE = select(_items).where(_NAMED)
_PAST = and_(
    _items.c.billable_id == bindparam("billable"),
    _items.c.subscription_id == bindparam("subscription"),
    _items.c.period_end <= bindparam("renewal_end"),
)
_DUE = update(_items).where(PENDING).values(check_after=None).returning(_items.c.billable_id)
_NAMED_DUE = _DUE.where(_NAMED)
_NAMED_OR_PAST_DUE = _DUE.where(or_(_NAMED, _PAST))
_OWNER = select(_billables.c.type + ":" + _billables.c.external_id).where(
    _billables.c.id == bindparam("billable")
)


def close_soon(handling: Handling, invoice: StripeInvoice, row: Row | None) -> str | None:
    """Have the sync read the pending items that the invoice may have taken, if there are any.

    Those are the ones on its lines, of which an event tells the first few; and of a renewal, those
    of the subscription's periods that it closes. Returns the billable that they are of.
    """
    connection, named = handling.session.connection(), {"named": invoice.item_ids}
    if row is not None and invoice.renewal_end is not None:
        past = {"billable": row["billable_id"], "subscription": row["id"],
                "renewal_end": invoice.renewal_end}  # fmt: skip
        found = connection.execute(_NAMED_OR_PAST_DUE, named | past)
    elif invoice.item_ids:
        found = connection.execute(_NAMED_DUE, named)
    else:
        return None
    billables = found.scalars().all()
    if not billables:
        return None
    return str(connection.execute(_OWNER, {"billable": billables[0]}).scalar_one())


def tell_voided(handling: Handling, invoice: StripeInvoice) -> None:
    """Report what of ours is void with the invoice. Nothing charges it again by itself."""
    connection = handling.session.connection()
    found = connection.execute(_ON_INVOICE, {"named": invoice.item_ids}).mappings().all()
    if found:
        handling.notices.append(
            f"{_total(found)} of overage was on it and is void with it: nothing charges it again "
            "by itself; what the customer still owes is for a new invoice at Stripe"
        )


def deleted(handling: Handling) -> Outcome:
    """A person deleted an item of ours: it is held for an operator, as when the sync finds out."""
    connection, stripe_id = handling.session.connection(), handling.event.object_id
    item = connection.execute(_BY_STRIPE_ID, {"stripe_id": stripe_id}).mappings().first()
    if item is None:
        return Outcome("ignored", "the invoice item is none of ours")
    if item["status"] == "idle":
        hold_deleted(handling.session, item, handling.now)
        tell_failed(handling.session, item["billable_id"], (), DELETED, now=handling.now)
        after = item_by_id(handling.session, item["id"])
        told = {name: after[name] for name in ("id", "status", "reason")}
        handling.changes += differences(
            "ai_invoice_items", {name: item[name] for name in told}, told
        )
        handling.notices.append(
            "a person deleted it at Stripe: aimeter overages list --status held"
        )
    elif item["status"] not in ("held", "closed"):
        handling.notices.append("its amount is being changed: the next sync finds it deleted")
    return Outcome("processed")


def _total(found: Sequence[RowMapping]) -> Money:
    """What Stripe is known to have of them, in the one currency of their invoice."""
    currency = found[0]["currency"]
    minor = (
        item["confirmed_minor"] if item["final_minor"] is None else item["final_minor"]
        for item in found
    )
    return Money.of_nanos(minor_to_nanos(sum(minor), currency), currency)
