"""An overage in a sentence: how much, of whom, where it stands; and what to type next."""

from __future__ import annotations

from aimeter_cli.domain.money import Money
from aimeter_cli.domain.rates import how_to_get_rate
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.items import InvoiceItem
from aimeter_cli.models.overages import Overage
from aimeter_cli.models.usages import UsageCounter
from aimeter_cli.repositories.lost_invoices import LostItem

_STANDS = {
    "open": "It is open: usage is added to it until a sync freezes it.",
    "frozen": "It is frozen: the next sync sends it.",
    "carried": "It is accounted for, and less than a minor unit: it goes on with what comes next.",
    "needs_rate": "It waits for a rate: {reason}.",
    "held": "It is held: {reason}.",
    "failed": "Stripe refused it: {last_error}.",
    "unknown": "A request for it may have reached Stripe: {last_error}.",
    "waived": "It was waived: {reason}.",
}
_NEXT = {
    "open": "aimeter sync-stripe-overages",
    "frozen": "aimeter sync-stripe-overages",
    "unknown": "aimeter sync-stripe-overages --retry-now",
    "held": "aimeter overages release {id} charges it, aimeter overages waive {id} gives it up",
    "failed": "mend the cause, then aimeter overages retry {id}",
    "needs_rate": how_to_get_rate("{currency}", "{billed_in}"),
}
_ADJUSTED = (
    "Usages of its period were imported, counted under a limit override, repriced or pruned: each "
    "keeps what it was charged, and the terms alone do not make up their sum."
)
COLLECT = "what the customer still owes is for a new invoice at Stripe"
_NO_CUSTOMER = "aimeter subscriptions set-stripe-ids {ref} --customer cus_…"


def in_words(
    overage: Overage, ref: str, plan: str, counter: UsageCounter, item: InvoiceItem | None
) -> str:
    """What it is, and where it stands."""
    amount = Money(overage.amount, overage.currency)
    trial = " in its trial" if counter.is_trial else ""
    what = (
        f"Overage {overage.id} is {amount} of {ref} beyond the plan {plan}{trial}, "
        f"{overage.period_start:%Y-%m-%d} to {overage.period_end:%Y-%m-%d}."
    )
    if counter.is_adjusted:
        what += f" {_ADJUSTED}"
    return f"{what} {_where(overage, item)}"


def is_lost(item: LostItem) -> str:
    """That nobody pays the invoice on which it is."""
    became = "voided" if item.invoice_status == "void" else "marked uncollectible"
    return (
        f"That invoice was {became} on {item.since:%Y-%m-%d}: nothing charges it again by itself."
    )


def next_step(overage: Overage, billable: Billable) -> str | None:
    """What to type; None: nothing has to be done."""
    unsent = overage.item_id is None and overage.status in ("open", "frozen", "needs_rate")
    if unsent and billable.stripe_customer_id is None:
        return _NO_CUSTOMER.format(ref=billable.ref)
    told = _NEXT.get(overage.status)
    if told is None:
        return None
    billed_in = billable.currency or overage.currency
    return told.format(id=overage.id, currency=overage.currency, billed_in=billed_in)


def _where(overage: Overage, item: InvoiceItem | None) -> str:
    if overage.status != "synced":
        reason = overage.reason or overage.last_error or "no reason is known"
        error = overage.last_error or "no answer is known"
        return _STANDS[overage.status].format(reason=reason, last_error=error)
    if overage.external_item_id is not None:
        return f"It was charged by hand, by {overage.external_item_id}; nothing is sent for it."
    if item is None:  # pragma: no cover  # the schema does not let it be
        return "It is synced."
    if item.status == "closed":
        return f"It is on the invoice {item.stripe_invoice_id}, by {item.stripe_item_id}."
    if item.status == "held":
        return f"It is on the invoice item {item.stripe_item_id}, which is held: {item.reason}."
    return f"It is on the pending invoice item {item.stripe_item_id}."
