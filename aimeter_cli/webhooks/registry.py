"""Which handler an event's type has. The keys are exact; a type that is missing is ignored."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aimeter_cli.webhooks import invoices, subscriptions
from aimeter_cli.webhooks.handling import Handling
from aimeter_cli.webhooks.results import Outcome

Handler = Callable[[Handling], Outcome]

HANDLERS: Mapping[str, Handler] = {
    "customer.subscription.created": subscriptions.created,
    "customer.subscription.updated": subscriptions.updated,
    "customer.subscription.deleted": subscriptions.deleted,
    "invoice.payment_failed": invoices.payment_failed,
    "invoice.payment_succeeded": invoices.settled,
    "invoice.paid": invoices.settled,
    "invoice.voided": invoices.settled,
}
