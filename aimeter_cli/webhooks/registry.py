"""Which handler an event's type has. The keys are exact; a type that is missing is ignored."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aimeter_cli.webhooks import customers, invoice_items, invoices, subscriptions
from aimeter_cli.webhooks.handling import Handling
from aimeter_cli.webhooks.results import Outcome

Handler = Callable[[Handling], Outcome]

HANDLERS: Mapping[str, Handler] = {
    "customer.updated": customers.updated,
    "customer.deleted": customers.deleted,
    "customer.subscription.created": subscriptions.created,
    "customer.subscription.updated": subscriptions.updated,
    "customer.subscription.deleted": subscriptions.deleted,
    "customer.subscription.paused": subscriptions.updated,
    "customer.subscription.resumed": subscriptions.updated,
    "customer.subscription.trial_will_end": subscriptions.updated,
    "invoice.created": invoices.created,
    "invoice.finalized": invoices.closed,
    "invoice.payment_failed": invoices.payment_failed,
    "invoice.payment_succeeded": invoices.settled,
    "invoice.paid": invoices.settled,
    "invoice.voided": invoices.settled,
    "invoice.marked_uncollectible": invoices.closed,
    "invoice.deleted": invoices.closed,
    "invoiceitem.deleted": invoice_items.deleted,
}
