"""A billing driver that answers the same every time: Stripe, as the screens need it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from aimeter_cli.billing.base import (
    Account,
    InvoiceRequest,
    InvoiceView,
    ItemRequest,
    ItemView,
    Reply,
)
from aimeter_cli.domain.sync import Answer
from aimeter_cli.settings.table import Settings

REFUSED = "cus_Pq7TfZx0LmN4Ks"
"""A customer that Stripe does not know."""


class StripeSide:
    """Takes every item, but those of the customer that it does not know; keeps them in a file."""

    name = "stripe"
    livemode = False

    def __init__(self, settings: Settings) -> None:
        del settings
        self._file = Path("stripe.json")
        kept = json.loads(self._file.read_text()) if self._file.exists() else {}
        self._items = {item_id: ItemView(**fields) for item_id, fields in kept.items()}

    def ensure_ready(self) -> None:
        """There is always somewhere to send."""

    def account(self) -> Account:
        return Account("acct_1ScreensOfAimeter", livemode=False, name="Screens Ltd")

    def send(self, request: ItemRequest) -> Reply:
        named = _id("req", request.idempotency_key)
        if request.params.get("customer") == REFUSED:
            reason = f"invalid_request_error: No such customer: '{REFUSED}'"
            return Reply(Answer.REFUSED, reason=reason, request_id=named)
        item_id = request.item_id or _id("ii", request.idempotency_key)
        self._items[item_id] = _view(item_id, request, self._items.get(item_id))
        kept = {name: asdict(item) for name, item in self._items.items()}
        self._file.write_text(json.dumps(kept))
        return Reply(
            Answer.DONE, item_id=item_id, amount_minor=request.params["amount"], request_id=named
        )

    def read(self, item_id: str) -> ItemView | Reply:
        return self._items.get(item_id) or Reply(Answer.GONE, missing=True)

    def find(self, customer_id: str, tag: str, created_since: int) -> Sequence[ItemView] | Reply:
        del created_since
        return [
            item
            for item in self._items.values()
            if item.customer_id == customer_id and item.tag == tag
        ]

    def close(self) -> None:
        """Nothing was opened."""

    def send_invoice(self, request: InvoiceRequest) -> Reply:
        invoice = request.invoice_id or _id("in", request.idempotency_key)
        return Reply(Answer.DONE, invoice_id=invoice)

    def read_invoice(self, invoice_id: str) -> InvoiceView | Reply:
        return InvoiceView(invoice_id, is_closed=False, status="draft")

    def find_invoices(
        self, customer_id: str, tag: str, created_since: int
    ) -> Sequence[InvoiceView] | Reply:
        del customer_id, tag, created_since
        return []

    def ours(
        self, install_id: str, created_since: int, customer_id: str | None = None
    ) -> Sequence[ItemView] | Reply:
        del install_id, created_since, customer_id
        return list(self._items.values())


def _id(prefix: str, of: str) -> str:
    return f"{prefix}_1Sc{hashlib.sha256(of.encode()).hexdigest()[:20]}"


def _view(item_id: str, request: ItemRequest, before: ItemView | None) -> ItemView:
    params = request.params
    currency, customer = (before.currency, before.customer_id) if before else (None, None)
    metadata = dict(params["metadata"])
    return ItemView(
        item_id, params["amount"], int(metadata["aimeter_version"]), is_closed=False,
        currency=params.get("currency", currency), customer_id=params.get("customer", customer),
        metadata=metadata,
    )  # fmt: skip
