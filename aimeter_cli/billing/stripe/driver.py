"""What the sync asks of Stripe, in its own terms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from aimeter_cli.billing.base import (
    Account,
    InvoiceRequest,
    InvoiceView,
    ItemRequest,
    ItemView,
    Reply,
)
from aimeter_cli.billing.directory import Object
from aimeter_cli.billing.stripe.connection import Connection
from aimeter_cli.billing.stripe.directory import Directory
from aimeter_cli.billing.stripe.invoices import Invoices
from aimeter_cli.billing.stripe.items import Items
from aimeter_cli.domain.sync import Answer
from aimeter_cli.errors import AimeterError, ConfigurationError
from aimeter_cli.settings.table import Settings


class StripeDriver:
    """Implements :class:`~aimeter_cli.billing.base.InvoicingDriver` and
    :class:`~aimeter_cli.billing.directory.DirectoryDriver`."""

    name = "stripe"

    def __init__(self, settings: Settings) -> None:
        self._key = settings.stripe_api_key
        self._connection = Connection(settings)
        self._invoices = Invoices(self._connection)
        self._items = Items(self._connection, self._invoices)
        self._directory = Directory(self._connection)

    @property
    def livemode(self) -> bool:
        return self._key.startswith(("sk_live_", "rk_live_"))

    def ensure_ready(self) -> None:
        self._connection.ensure_ready()

    def account(self) -> Account:
        status, found = self._connection.call(lambda client: client.v1.accounts.retrieve_current())
        if isinstance(found, Reply):
            if status == 403:
                return Account(None, self.livemode)
            if found.answer is Answer.MISCONFIGURED:
                raise ConfigurationError(
                    f"Stripe refuses the request: {found.reason}",
                    hint="Check STRIPE_API_KEY and STRIPE_API_BASE.",
                )
            raise AimeterError(
                f"Stripe cannot be asked for the account: {found.reason}",
                hint="Check the network, STRIPE_API_BASE, and status.stripe.com.",
            )
        if not isinstance(found.get("id"), str):
            raise AimeterError("what answers at STRIPE_API_BASE is not Stripe")
        name = (found.get("settings") or {}).get("dashboard", {}).get("display_name")
        return Account(found["id"], self.livemode, name, _moment(found.get("_date")))

    def send(self, request: ItemRequest) -> Reply:
        return self._items.send(request)

    def read(self, item_id: str) -> ItemView | Reply:
        return self._items.read(item_id)

    def find(self, customer_id: str, tag: str, created_since: int) -> Sequence[ItemView] | Reply:
        found = self._items.tagged(tag, created_since, customer_id)
        return found if isinstance(found, Reply) else [view for view in found if view.tag == tag]

    def ours(
        self, install_id: str, created_since: int, customer_id: str | None = None
    ) -> Sequence[ItemView] | Reply:
        return self._items.tagged(f"{install_id}:", created_since, customer_id)

    def send_invoice(self, request: InvoiceRequest) -> Reply:
        return self._invoices.send(request)

    def read_invoice(self, invoice_id: str) -> InvoiceView | Reply:
        return self._invoices.read(invoice_id)

    def find_invoices(
        self, customer_id: str, tag: str, created_since: int
    ) -> Sequence[InvoiceView] | Reply:
        return self._invoices.find(customer_id, tag, created_since)

    def customer(self, customer_id: str) -> Object | Reply:
        return self._directory.customer(customer_id)

    def customers_by_email(self, email: str) -> Sequence[Object] | Reply:
        return self._directory.customers_by_email(email)

    def customers_by_metadata(self, key: str, value: str) -> Sequence[Object] | Reply:
        return self._directory.customers_by_metadata(key, value)

    def subscription(self, subscription_id: str) -> Object | Reply:
        return self._directory.subscription(subscription_id)

    def subscriptions(self, customer_id: str) -> Sequence[Object] | Reply:
        return self._directory.subscriptions(customer_id)

    def invoice(self, invoice_id: str) -> Object | Reply:
        return self._directory.invoice(invoice_id)

    def events(
        self, types: Sequence[str], created_since: int, *, undelivered: bool = False
    ) -> Iterator[Object | Reply]:
        return self._directory.events(types, created_since, undelivered=undelivered)

    def webhook_endpoints(self) -> Sequence[Object] | Reply:
        return self._directory.webhook_endpoints()

    def close(self) -> None:
        self._connection.close()


def _moment(date: str | None) -> datetime | None:
    """An HTTP date, which is always in GMT."""
    try:
        return parsedate_to_datetime(date).replace(tzinfo=UTC) if date else None
    except ValueError:
        return None
