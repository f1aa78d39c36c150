"""What a wallet has available at a moment, at a cost that does not grow with history."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import RowMapping
from sqlmodel import Session

from aimeter_cli.domain.credits import Standing, overdraft_nanos
from aimeter_cli.errors import NotFound
from aimeter_cli.repositories import credits as repo
from aimeter_cli.services.credits.bills import bill_of
from aimeter_cli.services.exchange import Exchange
from aimeter_cli.settings.table import Settings


def available(session: Session, settings: Settings, billable_id: int, now: datetime) -> Standing:
    """How the billable's wallet stands, for checks. Changes nothing. Raises NotFound.

    An unpaid usage that is covered by now holds up nobody: the next one is paid behind it.
    """
    row = repo.standing_row(session, billable_id, now)
    if row is None:
        raise NotFound(f"there is no billable with the id {billable_id}")
    standing = standing_of(row, settings)
    if not standing.has_unpaid:
        return standing
    oldest = repo.oldest_unpaid(session, billable_id)
    if oldest is None:  # paid meanwhile
        return replace(standing, has_unpaid=False)
    bill = bill_of(oldest, standing.currency, Exchange(session, settings))
    waits = bill.cost is None or not standing.covers(bill.cost)
    return replace(standing, has_unpaid=waits)


def standing_of(row: RowMapping, settings: Settings) -> Standing:
    """Of a row of ``repositories.credits.standing_row``."""
    overdraft, unpaid = overdraft_nanos(settings.credit_overdraft), bool(row["has_unpaid"])
    if row["wallet_id"] is None:
        currency = row["own_currency"] or settings.currency
        return Standing(row["billable"], currency, 0, 0, overdraft, unpaid, has_wallet=False)
    return Standing(
        row["billable"], row["currency"], row["balance"] - row["expired"], row["held"],
        overdraft, unpaid,
    )  # fmt: skip
