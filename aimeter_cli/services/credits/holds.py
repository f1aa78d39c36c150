"""Holds: an estimate that a wallet sets aside while a call runs."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from uuid import uuid4

from sqlmodel import Session

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.credits import InsufficientCredits
from aimeter_cli.domain.money import from_nanos, nearest_nanos
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.errors import InvalidInput
from aimeter_cli.repositories import credits as repo
from aimeter_cli.repositories.billables import get_or_create_billable
from aimeter_cli.services.credits.ledger import Ledger
from aimeter_cli.services.credits.paying import pay_from
from aimeter_cli.services.credits.standing import available
from aimeter_cli.services.exchange import Exchange
from aimeter_cli.settings.table import Settings


def hold(
    database: Database,
    settings: Settings,
    billable: BillableRef,
    amount: Decimal,
    *,
    now: datetime,
    ttl: timedelta,
) -> str:
    """Set ``amount`` of the wallet's currency aside until ``now + ttl``; the hold's uid.

    What is unpaid is paid first. Raises InsufficientCredits if the rest does not cover ``amount``,
    or a usage is still unpaid: this call's would wait behind it. Raises InvalidInput for a negative
    amount.
    """
    nanos = nearest_nanos(amount, "estimated cost")
    if nanos < 0:
        raise InvalidInput(f"estimated cost: cannot be negative, got {amount}")
    with database.write() as session:
        who = get_or_create_billable(session, billable, now)
        ledger = Ledger.open(session, settings, who.id, now)
        if ledger is None:
            raise InsufficientCredits(available(session, settings, who.id, now), nanos)
        if ledger.standing.has_unpaid:
            pay_from(ledger, Exchange(session, settings))
        ledger.require(nanos)
        if ledger.standing.has_unpaid:
            raise InsufficientCredits(ledger.standing, nanos)
        uid = uuid4().hex
        repo.add_hold(
            session, uid=uid, wallet_id=ledger.wallet_id, amount=from_nanos(nanos),
            expires_at=now + ttl, created_at=now,
        )  # fmt: skip
        return uid


def close_hold(session: Session, uid: str, *, now: datetime) -> None:
    """Give back what a hold set aside. Closing twice, or an expired one, does nothing."""
    repo.close_hold(session, uid, now)
