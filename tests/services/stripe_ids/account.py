"""A Stripe account in memory that can be asked: the :class:`DirectoryDriver` of odd cases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aimeter_cli.billing.base import Account, ItemRequest, ItemView, Reply
from aimeter_cli.billing.directory import Object
from aimeter_cli.domain.stripe_ids import BILLABLE_KEY
from aimeter_cli.domain.sync import Answer
from tests.webhooks.payloads import subscription

A = TypeVar("A")
GONE = Reply(Answer.GONE, reason="deleted at Stripe")
SILENT = Reply(Answer.UNREADABLE, reason="no answer from Stripe", unreachable=True)


@dataclass
class StripeAccount:
    """Customers and subscriptions, newest first; ``broken``: what every question is answered."""

    customers: list[dict[str, Any]] = field(default_factory=list)
    owned: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    invoices: dict[str, dict[str, Any]] = field(default_factory=dict)
    broken: Reply | None = None
    asked: list[str] = field(default_factory=list)
    name: str = "account"
    livemode: bool = False

    def add(self, customer_id: str, *, names: str | None = None, **fields: Any) -> None:
        metadata = {BILLABLE_KEY: names} if names else {}
        body = {"id": customer_id, "object": "customer", "email": None, "metadata": metadata}
        self.customers.insert(0, {**body, **fields})
        self.owned.setdefault(customer_id, [])

    def subscribe(self, customer_id: str, subscription_id: str, **fields: Any) -> None:
        body = subscription(id=subscription_id, customer=customer_id, livemode=False, **fields)
        self.owned[customer_id].insert(0, body)

    def customer(self, customer_id: str) -> Object | Reply:
        found = [each for each in self.customers if each["id"] == customer_id]
        return self._answer("customer", found[0] if found else GONE)

    def customers_by_email(self, email: str) -> Sequence[Object] | Reply:
        found = [each for each in self.customers if each["email"] == email]
        return self._answer("email", found)

    def customers_by_metadata(self, key: str, value: str) -> Sequence[Object] | Reply:
        wanted = value.lower()  # as Stripe's search does
        found = [e for e in self.customers if e["metadata"].get(key, "").lower() == wanted]
        return self._answer("metadata", found)

    def subscription(self, subscription_id: str) -> Object | Reply:
        every = [each for owned in self.owned.values() for each in owned]
        found = [each for each in every if each["id"] == subscription_id]
        return self._answer("subscription", found[0] if found else GONE)

    def subscriptions(self, customer_id: str) -> Sequence[Object] | Reply:
        return self._answer("subscriptions", self.owned.get(customer_id, []))

    def invoice(self, invoice_id: str) -> Object | Reply:
        return self._answer("invoice", self.invoices.get(invoice_id, GONE))

    def _answer(self, question: str, answer: A) -> A | Reply:
        self.asked.append(question)
        return self.broken or answer

    def events(
        self, types: Sequence[str], created_since: int, *, undelivered: bool = False
    ) -> Iterator[Object | Reply]:
        return iter(())

    def webhook_endpoints(self) -> Sequence[Object] | Reply:
        return []

    def ensure_ready(self) -> None:
        """It needs no key."""

    def account(self) -> Account:
        return Account("acct_1", self.livemode)

    def send(self, request: ItemRequest) -> Reply:
        raise NotImplementedError

    def read(self, item_id: str) -> ItemView | Reply:
        raise NotImplementedError

    def find(self, customer_id: str, tag: str, created_since: int) -> Sequence[ItemView] | Reply:
        raise NotImplementedError

    def close(self) -> None:
        """Nothing was opened."""
