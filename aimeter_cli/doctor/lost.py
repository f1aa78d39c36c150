"""Overage on invoices that were voided or given up: accounted for here, and paid by nobody."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta

from aimeter_cli.app import App
from aimeter_cli.doctor.check import Check
from aimeter_cli.domain.money import Money
from aimeter_cli.repositories.lost_invoices import LostItem, lost_items

_TOLD_FOR = timedelta(days=90)
_SHOWN = 5
_HINT = {
    "void": "What the customer still owes is for a new invoice at Stripe; aimeter audit lists it.",
    "uncollectible": "Collect the invoice at Stripe, or let it be; aimeter audit lists it.",
}


def lost(app: App) -> Iterator[Check]:
    """By status of the invoice and currency; of the last 90 days: ``audit`` tells all of them."""
    with app.database.read() as session:
        found = lost_items(session, since=app.now() - _TOLD_FOR)
    if not found:
        yield Check("lost invoices", "ok", "no overage was on a void or uncollectible one")
    groups: dict[tuple[str, str], list[LostItem]] = defaultdict(list)
    for each in found:
        groups[each.invoice_status, each.currency].append(each)
    for (status, currency), rows in sorted(groups.items()):
        total = Money.of_nanos(sum(row.nanos for row in rows), currency)
        who = list(dict.fromkeys(row.billable for row in rows))
        more = f" and {len(who) - _SHOWN} more" if len(who) > _SHOWN else ""
        told = (
            f"{total} of overage is on {len({row.stripe_invoice_id for row in rows})} {status} "
            f"invoice(s), such as {rows[0].stripe_invoice_id}: {', '.join(who[:_SHOWN])}{more}"
        )
        yield Check("lost invoices", "warning", told, _HINT[status])
