"""Grace as it is stored: the invoice whose grace ends first, and any other unpaid ones."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from aimeter_cli.domain.events import EventName
from aimeter_cli.domain.grace import Grace
from aimeter_cli.domain.periods import iso, parse_time
from aimeter_cli.webhooks.handling import Handling, Row


def grace_of(row: Row) -> Grace:
    others = row["unpaid_invoices"]
    ends = {invoice: parse_time(end, "unpaid_invoices") for invoice, end in others.items()}
    if row["grace_period_ends_at"] is not None:
        ends[row["grace_invoice_id"] or ""] = row["grace_period_ends_at"]
    return Grace(ends, row["expired_at"])


def grace_columns(grace: Grace) -> dict[str, Any]:
    return {
        "grace_invoice_id": grace.invoice or None,
        "grace_period_ends_at": grace.end,
        "expired_at": grace.expired_at,
        "unpaid_invoices": {
            invoice: iso(end) for invoice, end in grace.ends.items() if invoice != grace.invoice
        },
    }


def forgive(handling: Handling, row: Row, at: datetime) -> Row:
    """It was seen in good standing ``at`` then: a failure of before that is told later starts no
    grace."""
    known = row["recovered_at"]
    return row if known is not None and known >= at else handling.change(row, {"recovered_at": at})


def store_grace(handling: Handling, row: Row, after: Grace) -> Row:
    """Write the new grace with what follows: expiry, or life again. Returns the new row.

    What lives again is as it would be without the failure: an end that has passed meanwhile still
    makes it canceled.
    Who has another live subscription by now is not brought back; that is reported.
    """
    before = grace_of(row)
    if after == before:
        return row
    columns = grace_columns(after)
    if before.expired_at is not None and after.expired_at is None and not row["is_live"]:
        rival = handling.live_rival(row)
        if rival is None:
            columns["is_live"] = True
        else:
            columns["expired_at"] = before.expired_at
            handling.notices.append(
                f"paid, but {handling.billable(row)} has another live subscription ({rival}): "
                f"subscription {row['id']} stays expired"
            )
    elif before.expired_at is None and after.expired_at is not None:
        columns["is_live"] = False
        handling.emit(
            EventName.SUBSCRIPTION_EXPIRED,
            row,
            {
                "plan_id": row["plan_id"],
                "started_at": iso(row["started_at"]),
                "expired_at": iso(after.expired_at),
                "reason": "payment_failed",
                "invoice_id": after.invoice,
            },
        )
    return handling.change(row, columns)
