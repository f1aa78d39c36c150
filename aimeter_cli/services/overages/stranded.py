"""Stranded items: charged at Stripe, but on no invoice before long; with what to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlmodel import Session

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.domain.stranded import Reason, stranded_reason
from aimeter_cli.repositories.stranded import perhaps_stranded
from aimeter_cli.settings.table import Settings

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Stranded:
    """Items of one reason; the first few of their billables by name."""

    reason: Reason
    items: tuple[int, ...]
    billables: tuple[str, ...]
    hint: str

    @property
    def in_words(self) -> str:
        return f"{self.reason}: {', '.join(self.billables)}: {self.hint}"


def find_stranded(
    database: Database, settings: Settings, *, now: datetime, billable: BillableRef | None = None
) -> list[Stranded]:
    """Each reason with its items, and what to do about the first of them."""
    with database.read() as session:
        return stranded_items(session, settings, now, billable)


def stranded_items(
    session: Session, settings: Settings, now: datetime, billable: BillableRef | None = None
) -> list[Stranded]:
    """The same, within a transaction."""
    keeps = settings.on_subscription_end == "keep"
    groups: dict[Reason, list[Row[Any]]] = {}
    for row in perhaps_stranded(session, now, billable):
        reason = stranded_reason(row, now, keeps=keeps)
        if reason is not None:
            groups.setdefault(reason, []).append(row)
    return [
        Stranded(
            reason,
            tuple(row.id for row in rows),
            tuple(dict.fromkeys(row.billable for row in rows))[:_SHOWN],
            _hint(reason, rows),
        )
        for reason, rows in groups.items()
    ]


def _hint(reason: Reason, rows: Sequence[Row[Any]]) -> str:
    """For the first item that waits for a person, if that is why; else for the first."""
    for row in rows:
        waiting = _waiting(row) if reason in ("subscription_ended", "not_collected") else None
        if waiting is not None:
            return waiting
    return _HINTS[reason](rows[0])


def _waiting(row: Row[Any]) -> str | None:
    """What a person has to do with an item before anything becomes of it."""
    if row.item_status == "failed":
        listing = f"aimeter overages list --failed --billable {row.billable}"
        return f"{listing}; mend the cause, then aimeter overages retry ID"
    if row.item_status == "held" or row.has_held:
        listing = f"aimeter overages list --status held --billable {row.billable}"
        return f"{listing}; then aimeter overages release or waive ID"
    if row.final_status in ("failed", "held"):
        invoice = row.final_invoice or f"of {row.billable}"
        verb = "retry" if row.final_status == "failed" else "release"
        told = f"the final invoice {invoice} is {row.final_status} ({row.final_reason})"
        return f"{told}; mend the cause, then aimeter overages {verb} ID"
    return None


def _invoice(row: Row[Any]) -> str:
    return f"make an invoice for {row.stripe_customer_id} at Stripe that takes its pending items"


_HINTS: dict[Reason, Callable[[Row[Any]], str]] = {
    "subscription_ended": lambda row: (
        f'{_invoice(row)}; or set on_subscription_end = "invoice", and the sync makes it'
    ),
    "subscription_paused": lambda row: (
        f"resume {row.stripe_subscription_id or f'the subscription of {row.billable}'}, "
        f"or {_invoice(row)}"
    ),
    "yearly": lambda row: f"{_invoice(row)}; the subscription's own comes in more than 35 days",
    "not_collected": lambda row: (
        f"look at {row.stripe_item_id} at Stripe: its service ended more than 35 days ago; "
        f"{_invoice(row)}, or aimeter overages waive ID"
    ),
}
