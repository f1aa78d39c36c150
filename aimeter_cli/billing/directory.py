"""What a billing driver may know of customers, subscriptions and events: reading, never writing.

Objects are handed on as Stripe's API gives them, as plain dicts, for
:mod:`aimeter_cli.domain.stripe_payloads` to read. What went wrong is a
:class:`~aimeter_cli.billing.base.Reply`: GONE (deleted, or never there), UNREADABLE (no answer, or
none that can be used), MISCONFIGURED (the key may not ask).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from aimeter_cli.billing.base import BillingDriver, Reply
from aimeter_cli.errors import ConfigurationError

Object = Mapping[str, Any]


@runtime_checkable
class DirectoryDriver(BillingDriver, Protocol):
    """A driver that can be asked what the other side knows.

    Without it Stripe ids are set by hand, and events come by file or endpoint only.
    """

    def customer(self, customer_id: str) -> Object | Reply: ...

    def customers_by_email(self, email: str) -> Sequence[Object] | Reply:
        """Upper and lower case count, as at Stripe; newest first."""
        ...

    def customers_by_metadata(self, key: str, value: str) -> Sequence[Object] | Reply:
        """From Stripe's search, which sees changes after about a minute."""
        ...

    def subscription(self, subscription_id: str) -> Object | Reply:
        """An ended one is there, too, with its status."""
        ...

    def subscriptions(self, customer_id: str) -> Sequence[Object] | Reply:
        """All of the customer's, ended ones too, newest first."""
        ...

    def invoice(self, invoice_id: str) -> Object | Reply: ...

    def events(
        self, types: Sequence[str], created_since: int, *, undelivered: bool = False
    ) -> Iterator[Object | Reply]:
        """Events of these types, of any number, created since (Unix seconds; 30 days at the most),
        newest first for each page of types; a Reply, and then no more, where a page is unreadable.

        ``undelivered``: only those that some endpoint has not taken.
        """
        ...

    def webhook_endpoints(self) -> Sequence[Object] | Reply: ...


def directory_of(driver: BillingDriver) -> DirectoryDriver | None:
    """The driver, where it can be asked and has a key to ask with."""
    if not isinstance(driver, DirectoryDriver):
        return None
    try:
        driver.ensure_ready()
    except ConfigurationError:
        return None
    return driver
