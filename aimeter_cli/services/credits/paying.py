"""Pay usages from the wallets: oldest first, each in full, in the wallet's currency."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from sqlmodel import Session

from aimeter_cli.domain.credits import covered
from aimeter_cli.repositories import credits as repo
from aimeter_cli.services.credits.bills import Bill, bill_of
from aimeter_cli.services.credits.ledger import Entry, Ledger
from aimeter_cli.services.exchange import Exchange
from aimeter_cli.settings.table import Settings

USAGE_KEY = "usage:"
"""Begins the ledger's key of a usage that is paid: no usage can be paid twice."""


def pay_unpaid(
    session: Session, settings: Settings, billable_ids: Iterable[int], now: datetime
) -> set[int]:
    """Pay what the wallets of these billables cover; ids of the usages that were paid.

    Oldest first, up to the first that is not covered in full or has no rate of its
    ``occurred_at``: later ones wait behind it, so that nothing is paid out of turn. Locks the
    wallets in the order of their billables; a hold of the call itself is to be closed before.
    """
    exchange = Exchange(session, settings)
    paid: set[int] = set()
    for billable_id in sorted(set(billable_ids)):
        ledger = Ledger.open(session, settings, billable_id, now)
        if ledger is not None:
            paid |= pay_from(ledger, exchange)
    return paid


def pay_from(ledger: Ledger, exchange: Exchange) -> set[int]:
    """The same from a wallet that is locked already; its standing tells whether any are left."""
    paid: set[int] = set()
    for rows in repo.unpaid_usages(ledger.session, ledger.billable_id):
        bills = [bill_of(row, ledger.standing.currency, exchange) for row in rows]
        count = covered((bill.cost for bill in bills), ledger.standing.room)
        _pay(ledger, bills[:count])
        paid.update(bill.usage_id for bill in bills[:count])
        if count < len(bills):
            return paid
    ledger.standing = replace(ledger.standing, has_unpaid=False)
    return paid


def _pay(ledger: Ledger, bills: Sequence[Bill]) -> None:
    if not bills:
        return
    ledger.debit(
        [
            Entry("usage", -(bill.cost or 0), key=f"{USAGE_KEY}{bill.usage_id}",
                  usage_id=bill.usage_id)
            for bill in bills
        ]
    )  # fmt: skip
    repo.mark_paid(
        ledger.session,
        [{"usage": bill.usage_id, "paid": bill.cost, "via": bill.via} for bill in bills],
    )
