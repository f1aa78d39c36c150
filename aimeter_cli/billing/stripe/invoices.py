"""Invoices at Stripe. Source: Stripe, API reference, "Invoices"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aimeter_cli.billing.base import InvoiceRequest, InvoiceView, Reply
from aimeter_cli.billing.stripe.connection import Connection, unreadable
from aimeter_cli.domain.sync import Answer

if TYPE_CHECKING:
    import stripe


class Invoices:
    """Makes drafts, adds lines to them, finalises them, reads and lists them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def send(self, request: InvoiceRequest) -> Reply:
        params: Any = dict(request.params)
        options: Any = {"idempotency_key": request.idempotency_key}
        invoice_id = str(request.invoice_id)

        def execute(client: stripe.StripeClient) -> Any:
            if request.kind == "create_invoice":
                return client.v1.invoices.create(params, options)
            if request.kind == "add_lines":
                return client.v1.invoices.add_lines(invoice_id, params, options)
            return client.v1.invoices.finalize_invoice(invoice_id, params, options)

        _, found = self._connection.call(execute, request.send_before)
        if isinstance(found, Reply):
            return found
        if not isinstance(found.get("id"), str) or not isinstance(found.get("status"), str):
            return Reply(Answer.LOST, reason="the answer is no invoice")
        return Reply(Answer.DONE, invoice_id=found["id"], request_id=found.get("_request_id"))

    def read(self, invoice_id: str) -> InvoiceView | Reply:
        status, found = self._connection.call(
            lambda client: client.v1.invoices.retrieve(invoice_id)
        )
        if isinstance(found, Reply):
            if status == 404 and found.answer is Answer.REFUSED:
                return Reply(Answer.GONE, reason="deleted at Stripe", request_id=found.request_id)
            return unreadable(found)
        return _view(found)

    def find(self, customer_id: str, tag: str, created_since: int) -> Sequence[InvoiceView] | Reply:
        views: list[InvoiceView] = []
        params = {"customer": customer_id, "created": {"gte": created_since}}
        for invoice in self._connection.pages(_list, params, "invoices"):
            if isinstance(invoice, Reply):
                return invoice
            if (invoice.get("metadata") or {}).get("aimeter_invoice") == tag:
                view = _view(invoice)
                if isinstance(view, Reply):
                    return view
                views.append(view)
        return views


def _list(client: stripe.StripeClient, params: Any) -> Any:
    return client.v1.invoices.list(params)


def _view(invoice: dict[str, Any]) -> InvoiceView | Reply:
    if invoice.get("deleted"):
        return Reply(Answer.GONE, reason="deleted at Stripe")
    status = invoice.get("status")
    if not isinstance(status, str):
        return Reply(Answer.UNREADABLE, reason="the answer is no invoice")
    return InvoiceView(invoice["id"], status != "draft", status, invoice.get("_request_id"))
