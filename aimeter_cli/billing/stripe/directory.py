"""Customers, subscriptions, events and endpoints at Stripe, as they are.

Source: Stripe, API reference, "Customers", "Search", "Subscriptions", "Events",
"Webhook Endpoints".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aimeter_cli.billing.base import Reply
from aimeter_cli.billing.directory import Object
from aimeter_cli.billing.stripe.connection import Connection, Cursor, unreadable
from aimeter_cli.domain.sync import Answer

if TYPE_CHECKING:
    import stripe

_TYPES_A_REQUEST = 20
Fetch = Callable[["stripe.StripeClient", Any], Any]


class Directory:
    """Reads them one by one or in lists."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def customer(self, customer_id: str) -> Object | Reply:
        return self._one(lambda client: client.v1.customers.retrieve(customer_id), "customer")

    def customers_by_email(self, email: str) -> Sequence[Object] | Reply:
        return self._all(
            lambda client, params: client.v1.customers.list(params), {"email": email}, "customers"
        )

    def customers_by_metadata(self, key: str, value: str) -> Sequence[Object] | Reply:
        query = f"metadata[{_quoted(key)}]:{_quoted(value)}"
        return self._all(
            lambda client, params: client.v1.customers.search(params),
            {"query": query}, "customers", cursor="page",
        )  # fmt: skip

    def subscription(self, subscription_id: str) -> Object | Reply:
        return self._one(
            lambda client: client.v1.subscriptions.retrieve(subscription_id), "subscription"
        )

    def subscriptions(self, customer_id: str) -> Sequence[Object] | Reply:
        return self._all(
            lambda client, params: client.v1.subscriptions.list(params),
            {"customer": customer_id, "status": "all"}, "subscriptions",
        )  # fmt: skip

    def invoice(self, invoice_id: str) -> Object | Reply:
        return self._one(lambda client: client.v1.invoices.retrieve(invoice_id), "invoice")

    def events(
        self, types: Sequence[str], created_since: int, *, undelivered: bool = False
    ) -> Iterator[Object | Reply]:
        for some in _parts(types, _TYPES_A_REQUEST):
            params: dict[str, Any] = {"types": list(some), "created": {"gte": created_since}}
            if undelivered:
                params["delivery_success"] = False
            for event in self._connection.pages(
                lambda client, query: client.v1.events.list(query), params, "events"
            ):
                yield event
                if isinstance(event, Reply):
                    return

    def webhook_endpoints(self) -> Sequence[Object] | Reply:
        return self._all(
            lambda client, params: client.v1.webhook_endpoints.list(params), {}, "endpoints"
        )

    def _one(self, fetch: Callable[[stripe.StripeClient], Any], kind: str) -> Object | Reply:
        status, found = self._connection.call(fetch)
        if isinstance(found, Reply):
            if status == 404 and found.answer is Answer.REFUSED:
                return Reply(Answer.GONE, reason=found.reason, request_id=found.request_id)
            return unreadable(found)
        if found.get("deleted"):
            return Reply(Answer.GONE, reason="deleted at Stripe")
        if found.get("object") != kind:
            return Reply(Answer.UNREADABLE, reason=f"the answer is no {kind}")
        return found

    def _all(
        self, fetch: Fetch, params: Mapping[str, Any], what: str, cursor: Cursor = "starting_after"
    ) -> Sequence[Object] | Reply:
        found: list[Object] = []
        for each in self._connection.pages(fetch, params, what, cursor=cursor):
            if isinstance(each, Reply):
                return each
            found.append(each)
        return found


def _parts(values: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (values[first : first + size] for first in range(0, len(values), size))


def _quoted(text: str) -> str:
    """As Stripe's search language takes it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
