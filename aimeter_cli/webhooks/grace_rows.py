"""Grace as it is stored: the invoice whose grace ends first in columns, any others in ``meta``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aimeter_cli.domain.events import EventName
from aimeter_cli.domain.grace import Grace
from aimeter_cli.domain.periods import iso, parse_time
from aimeter_cli.webhooks.handling import Handling, Row

OTHERS = "unpaid_invoices"
"""Key of ``meta``: further unpaid invoices, each with the end of its grace."""


def grace_of(row: Row) -> Grace:
    others = row["meta"].get(OTHERS)
    ends = {
        str(invoice): parse_time(end, f"meta.{OTHERS}")
        for invoice, end in (others.items() if isinstance(others, dict) else ())
    }
    if row["grace_period_ends_at"] is not None:
        ends[row["grace_invoice_id"] or ""] = row["grace_period_ends_at"]
    return Grace(ends, row["expired_at"])


def grace_columns(grace: Grace, meta: Mapping[str, Any]) -> dict[str, Any]:
    others = {invoice: iso(end) for invoice, end in grace.ends.items() if invoice != grace.invoice}
    rest = {key: value for key, value in meta.items() if key != OTHERS}
    return {
        "grace_invoice_id": grace.invoice or None,
        "grace_period_ends_at": grace.end,
        "expired_at": grace.expired_at,
        "meta": {**rest, OTHERS: others} if others else rest,
    }


def store_grace(handling: Handling, row: Row, after: Grace) -> Row:
    """Write the new grace with what follows: expiry, or life again. Returns the new row.

    What lives again is as it would be without the failure: an end that has passed meanwhile still
    makes it canceled.
    Who has another live subscription by now is not brought back; that is reported.
    """
    before = grace_of(row)
    if after == before:
        return row
    columns = grace_columns(after, row["meta"])
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
                "expired_at": iso(after.expired_at),
                "reason": "payment_failed",
                "invoice_id": after.invoice,
            },
        )
    return handling.change(row, columns)
