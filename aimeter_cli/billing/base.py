"""What a billing driver must be able to do, in the terms of the sync's state machine.

A driver never raises for what the other side answers: every outcome is a :class:`Reply` whose
:class:`~aimeter_cli.domain.sync.Answer` the transition table knows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, runtime_checkable

from aimeter_cli.domain.sync import Answer


@dataclass(frozen=True, slots=True)
class ItemRequest:
    """One create or update of a pending invoice item, as it was written down before sending.

    ``params`` holds ``amount`` (integer minor units) and ``metadata``; a create also ``customer``,
    ``currency``, ``description``, ``period`` (Unix seconds) and perhaps ``subscription`` or
    ``invoice``, a draft. After ``send_before`` (on the steady clock) it must not be sent any more:
    another process may have it.
    """

    kind: Literal["create", "update"]
    params: Mapping[str, Any]
    idempotency_key: str
    item_id: str | None = None
    send_before: float = math.inf


@dataclass(frozen=True, slots=True)
class InvoiceRequest:
    """One step of a final invoice, as it was written down before sending.

    ``params`` are those of Stripe's call: of a create ``customer``, ``currency``, ``metadata`` and
    more, of add_lines ``lines``, of finalize ``auto_advance``; the last two name ``invoice_id``.
    """

    kind: Literal["create_invoice", "add_lines", "finalize"]
    params: Mapping[str, Any]
    idempotency_key: str
    invoice_id: str | None = None
    send_before: float = math.inf


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back. ``reason`` is safe to show; ``retry_after`` is in seconds.

    ``unreachable``: nothing answered at all; ``rate_limited``: asked too often; ``missing``: there
    is no such object, or none that the request names.
    """

    answer: Answer
    item_id: str | None = None
    amount_minor: int | None = None
    reason: str | None = None
    request_id: str | None = None
    retry_after: float | None = None
    unreachable: bool = False
    rate_limited: bool = False
    missing: bool = False
    invoice_id: str | None = None


@dataclass(frozen=True, slots=True)
class ItemView:
    """An invoice item as the other side has it; ``amount_minor`` is before tax.

    ``version`` is our ``aimeter_version`` in its metadata. Where ``is_closed``, the item was read
    after its invoice was known to be closed, so that ``amount_minor`` is final.
    """

    item_id: str
    amount_minor: int
    version: int | None
    is_closed: bool
    invoice_id: str | None = None
    request_id: str | None = None
    currency: str | None = None
    customer_id: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def tag(self) -> str | None:
        """``<install id>:<item id>``, by which we know it as ours."""
        return self.metadata.get("aimeter_item")

    @property
    def uid(self) -> str:
        """The item id of the tag; empty where it is not ours."""
        return (self.tag or "").rpartition(":")[2]


@dataclass(frozen=True, slots=True)
class InvoiceView:
    """An invoice as the other side has it; ``is_closed``: no longer a draft."""

    invoice_id: str
    is_closed: bool
    status: str
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """Whose account a key belongs to; ``account_id`` None: the key may not ask.

    ``told_at``: what time it was for who answered, None where the answer does not tell.
    """

    account_id: str | None
    livemode: bool
    name: str | None = None
    told_at: datetime | None = None


class BillingDriver(Protocol):
    """Made once per process; ``send``, ``read`` and ``find`` are called by several threads."""

    @property
    def name(self) -> str: ...

    @property
    def livemode(self) -> bool:
        """Whether real money moves."""
        ...

    def ensure_ready(self) -> None:
        """Raises ConfigurationError if there is nowhere to send, or no key to send with."""
        ...

    def account(self) -> Account:
        """Raises ConfigurationError if the key is refused, AimeterError if nobody answers."""
        ...

    def send(self, request: ItemRequest) -> Reply:
        """Execute the request under its idempotency key."""
        ...

    def read(self, item_id: str) -> ItemView | Reply:
        """The item; a Reply with GONE, UNREADABLE or MISCONFIGURED where there is none to see."""
        ...

    def find(self, customer_id: str, tag: str, created_since: int) -> Sequence[ItemView] | Reply:
        """The customer's items whose ``aimeter_item`` is ``tag``, created since (Unix seconds)."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class InvoicingDriver(BillingDriver, Protocol):
    """A driver that can also invoice what no other invoice will take, and list what is ours.

    Without these a final invoice is left to the operator, and ``audit --remote`` is refused.
    """

    def send_invoice(self, request: InvoiceRequest) -> Reply:
        """Execute the step under its idempotency key; ``invoice_id`` of the reply is Stripe's."""
        ...

    def read_invoice(self, invoice_id: str) -> InvoiceView | Reply:
        """The invoice; a Reply with GONE, UNREADABLE or MISCONFIGURED where there is none."""
        ...

    def find_invoices(
        self, customer_id: str, tag: str, created_since: int
    ) -> Sequence[InvoiceView] | Reply:
        """The customer's invoices whose ``aimeter_invoice`` is ``tag``."""
        ...

    def ours(
        self, install_id: str, created_since: int, customer_id: str | None = None
    ) -> Sequence[ItemView] | Reply:
        """Every item of the installation, of one customer or of all, oldest last."""
        ...
