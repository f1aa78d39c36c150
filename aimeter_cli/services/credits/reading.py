"""Wallets as people read them: balance, grants, what waits to be paid and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from sqlmodel import Session

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.credits import KINDS, Standing
from aimeter_cli.domain.money import Money, from_nanos
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.errors import InvalidInput
from aimeter_cli.repositories import credit_entries as views
from aimeter_cli.repositories import credits as repo
from aimeter_cli.repositories.credit_entries import EntryView, Filter, GrantView, Unpaid
from aimeter_cli.services.billables import billable_named
from aimeter_cli.services.credits.bills import bill_of
from aimeter_cli.services.credits.standing import available, standing_of
from aimeter_cli.services.exchange import Exchange
from aimeter_cli.settings.table import Settings


@dataclass(frozen=True, slots=True)
class WalletView:
    """A wallet at a moment, in major units. ``available`` None: without limit.

    ``waits_for``: why the oldest unpaid usage is not paid.
    """

    billable: str
    currency: str
    balance: Decimal
    held: Decimal
    available: Decimal | None
    has_unpaid: bool
    grants: Sequence[GrantView] = ()
    unpaid: Sequence[Unpaid] = ()
    waits_for: str | None = None

    @classmethod
    def of(
        cls,
        standing: Standing,
        grants: Sequence[GrantView] = (),
        unpaid: Sequence[Unpaid] = (),
        waits_for: str | None = None,
    ) -> WalletView:
        left = standing.available
        return cls(
            standing.billable, standing.currency, from_nanos(standing.balance),
            from_nanos(standing.held), None if left is None else from_nanos(left),
            standing.has_unpaid, grants, unpaid, waits_for,
        )  # fmt: skip


def wallet(
    database: Database, settings: Settings, billable: BillableRef, *, now: datetime
) -> WalletView:
    """Without a wallet: all 0. Raises NotFound for an unknown billable."""
    with database.read() as session:
        who = billable_named(session, billable)
        standing = available(session, settings, who.id, now)
        unpaid = views.unpaid_totals(session, who.id)
        return WalletView.of(
            replace(standing, has_unpaid=bool(unpaid)),
            views.grant_views(session, who.id, now),
            unpaid,
            _waits_for(session, settings, who.id, standing),
        )


def wallets(
    database: Database, settings: Settings, *, now: datetime, limit: int
) -> list[WalletView]:
    """Every wallet, oldest first."""
    with database.read() as session:
        rows = repo.standing_rows(session, now, limit)
        return [WalletView.of(standing_of(row, settings)) for row in rows]


def transactions(database: Database, wanted: Filter, *, limit: int) -> list[EntryView]:
    """The newest first. Raises NotFound for an unknown billable, InvalidInput for a kind."""
    unknown = [kind for kind in wanted.kinds if kind not in KINDS]
    if unknown:
        raise InvalidInput(f"--kind: {unknown[0]!r} is none of {', '.join(KINDS)}")
    with database.read() as session:
        if wanted.billable is not None:
            billable_named(session, wanted.billable)
        return views.entry_views(session, wanted, limit)


def _waits_for(
    session: Session, settings: Settings, billable_id: int, standing: Standing
) -> str | None:
    oldest = repo.oldest_unpaid(session, billable_id)
    if oldest is None:
        return None
    bill = bill_of(oldest, standing.currency, Exchange(session, settings))
    if bill.cost is None:
        return f"usage {bill.usage_id}: {bill.via}"
    cost = Money.of_nanos(bill.cost, standing.currency)
    if standing.covers(bill.cost):
        return f"usage {bill.usage_id}, {cost}: the next usage, or addition of credits, pays it"
    return f"usage {bill.usage_id}, {cost}: more than is available"
