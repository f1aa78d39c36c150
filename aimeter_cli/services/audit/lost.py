"""What is right in the books and yet paid by nobody: items on void or uncollectible invoices."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from aimeter_cli.domain.money import from_nanos
from aimeter_cli.repositories.lost_invoices import LostItem


@dataclass(frozen=True, slots=True)
class Lost:
    """``amount``, in ``currency``, is what the item had on the invoice."""

    billable: str
    item_id: int
    amount: Decimal
    currency: str
    stripe_invoice_id: str
    invoice_status: str
    since: datetime

    @classmethod
    def of(cls, item: LostItem) -> Lost:
        return cls(
            item.billable, item.item_id, from_nanos(item.nanos), item.currency,
            item.stripe_invoice_id, item.invoice_status, item.since,
        )  # fmt: skip
