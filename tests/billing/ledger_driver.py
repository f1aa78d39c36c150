"""A third billing driver: charges land in a ledger of this process, without any network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aimeter_cli.billing.base import Account, ItemRequest, ItemView, Reply
from aimeter_cli.domain.sync import Answer
from aimeter_cli.settings.table import Settings


class LedgerDriver:
    """Keeps its word about keys: a repeated one changes nothing and gives the first answer."""

    name = "ledger"
    livemode = False

    def __init__(self, settings: Settings) -> None:
        self.currency = settings.currency
        self.entries: dict[str, dict[str, Any]] = {}
        self._answers: dict[str, Reply] = {}

    def ensure_ready(self) -> None:
        """There is nothing to set up."""

    def account(self) -> Account:
        return Account("ledger", livemode=False)

    def send(self, request: ItemRequest) -> Reply:
        if request.idempotency_key not in self._answers:
            item = request.item_id or f"entry_{len(self.entries) + 1}"
            self.entries.setdefault(item, {}).update(request.params)
            answer = Reply(Answer.DONE, item, int(request.params["amount"]))
            self._answers[request.idempotency_key] = answer
        return self._answers[request.idempotency_key]

    def read(self, item_id: str) -> ItemView | Reply:
        entry = self.entries.get(item_id)
        return Reply(Answer.GONE) if entry is None else self._view(item_id, entry)

    def find(self, customer_id: str, tag: str, created_since: int) -> Sequence[ItemView] | Reply:
        return [
            self._view(item, entry)
            for item, entry in self.entries.items()
            if entry["customer"] == customer_id and entry["metadata"]["aimeter_item"] == tag
        ]

    def close(self) -> None:
        """Nothing was opened."""

    def _view(self, item: str, entry: dict[str, Any]) -> ItemView:
        version = int(entry["metadata"]["aimeter_version"])
        return ItemView(item, entry["amount"], version, is_closed=False)
