"""Invoice items at Stripe. Source: Stripe, API reference, "Invoice items"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aimeter_cli.billing.base import ItemRequest, ItemView, Reply
from aimeter_cli.billing.stripe.connection import Connection, unreadable
from aimeter_cli.billing.stripe.invoices import Invoices
from aimeter_cli.domain.sync import Answer

if TYPE_CHECKING:
    import stripe


class Items:
    """Makes, changes, reads and lists them."""

    def __init__(self, connection: Connection, invoices: Invoices) -> None:
        self._connection = connection
        self._invoices = invoices

    def send(self, request: ItemRequest) -> Reply:
        params: Any = dict(request.params)
        options: Any = {"idempotency_key": request.idempotency_key}
        item_id = str(request.item_id)

        def execute(client: stripe.StripeClient) -> Any:
            if request.kind == "create":
                return client.v1.invoice_items.create(params, options)
            return client.v1.invoice_items.update(item_id, params, options)

        _, found = self._connection.call(execute, request.send_before)
        if isinstance(found, Reply):
            return found
        if not _is_item(found):
            return Reply(Answer.LOST, reason="the answer is no invoice item")
        return Reply(Answer.DONE, found["id"], found["amount"], request_id=found.get("_request_id"))

    def read(self, item_id: str) -> ItemView | Reply:
        found = self._get(item_id)
        if isinstance(found, Reply):
            return found
        closed = self._is_closed(found)
        if isinstance(closed, Reply):
            return closed
        if closed:  # once more: an update may have landed before the invoice was closed
            found = self._get(item_id)
            if isinstance(found, Reply):
                return found
        return _view(found, is_closed=closed)

    def tagged(
        self, prefix: str, created_since: int, customer_id: str | None = None
    ) -> Sequence[ItemView] | Reply:
        """Those whose ``aimeter_item`` begins with ``prefix``, newest first."""
        views: list[ItemView] = []
        params: dict[str, Any] = {"created": {"gte": created_since}}
        if customer_id is not None:
            params["customer"] = customer_id
        closed: dict[str, bool] = {}
        for item in self._connection.pages(_list, params, "invoice items"):
            if isinstance(item, Reply):
                return item
            if not (item.get("metadata") or {}).get("aimeter_item", "").startswith(prefix):
                continue
            invoice = item.get("invoice") or ""
            if invoice not in closed:
                answer = self._is_closed(item)
                if isinstance(answer, Reply):
                    return answer
                closed[invoice] = answer
            views.append(_view(item, is_closed=closed[invoice]))
        return views

    def _get(self, item_id: str) -> dict[str, Any] | Reply:
        status, found = self._connection.call(
            lambda client: client.v1.invoice_items.retrieve(item_id)
        )
        if isinstance(found, Reply):
            if status == 404 and found.answer is Answer.REFUSED:
                return Reply(Answer.GONE, reason="deleted at Stripe", request_id=found.request_id)
            return unreadable(found)
        if found.get("deleted"):
            return Reply(Answer.GONE, reason="deleted at Stripe")
        if not _is_item(found):
            return Reply(Answer.UNREADABLE, reason="the answer is no invoice item")
        return found

    def _is_closed(self, item: Mapping[str, Any]) -> bool | Reply:
        invoice = item.get("invoice")
        if not invoice:
            return False
        found = self._invoices.read(str(invoice))
        if isinstance(found, Reply):
            return found if found.answer is not Answer.GONE else unreadable(found)
        return found.is_closed


def _list(client: stripe.StripeClient, params: Any) -> Any:
    return client.v1.invoice_items.list(params)


def _is_item(content: Mapping[str, Any]) -> bool:
    """Whether an answer is what it should be; one that is not proves nothing."""
    amount = content.get("amount")
    return isinstance(content.get("id"), str) and isinstance(amount, int)


def _view(item: Mapping[str, Any], *, is_closed: bool) -> ItemView:
    metadata = item.get("metadata") or {}
    version = metadata.get("aimeter_version")
    return ItemView(
        item["id"],
        item["amount"],
        int(version) if version and version.isdigit() else None,
        is_closed,
        item.get("invoice"),
        item.get("_request_id"),
        item.get("currency"),
        item.get("customer"),
        metadata,
    )
