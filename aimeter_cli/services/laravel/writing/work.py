"""What every writer has at hand: the transaction, the names, and what became of the rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from sqlmodel import Session

from aimeter_cli.domain.currency import currency_code
from aimeter_cli.errors import InvalidInput
from aimeter_cli.repositories import imports as repo
from aimeter_cli.repositories.imports import Known
from aimeter_cli.services.laravel.names import BillableNames
from aimeter_cli.services.laravel.reconciliation import Reconciliation, Sum
from aimeter_cli.services.laravel.values import SourceRow
from aimeter_cli.settings.table import Settings

Facts = TypeVar("Facts")
CHANGED = "it was imported before, and changed there since"
_SYSTEM = "laravel."


@dataclass(slots=True)
class Work:
    """``plans``: our ids by theirs."""

    session: Session
    settings: Settings
    names: BillableNames
    report: Reconciliation
    now: datetime
    keep_existing: bool = False
    plans: dict[int, int] = field(default_factory=dict)

    def read(
        self, table: str, rows: Sequence[SourceRow], facts_of: Callable[[SourceRow], Facts]
    ) -> list[tuple[SourceRow, Facts]]:
        """Their rows with what they mean; those that mean nothing are left out."""
        found: list[tuple[SourceRow, Facts]] = []
        self.report.table(table).read += len(rows)
        for row in rows:
            try:
                found.append((row, facts_of(row)))
            except InvalidInput as error:
                self.leave_out(row, error.message)
        return found

    def leave_out(self, row: SourceRow, reason: str) -> None:
        """With its money, where it can be told."""
        self.report.leave_out(row.table, row.id, reason)
        money = _money(row)
        if money is not None:
            what, currency, nanos = money
            amounts = self.sum_of(row.table, what, currency)
            amounts.their_nanos += nanos
            amounts.left_out_nanos += nanos

    def sum_of(self, table: str, what: str, currency: str) -> Sum:
        return self.report.sum_of(table, what, currency)

    def imported(self, kind: str, rows: Sequence[SourceRow]) -> Mapping[int, Known]:
        """Ours, by their ids."""
        return repo.imported(self.session, _SYSTEM + kind, [row.id for row in rows])

    def remember(self, kind: str, row: SourceRow, ours: int) -> None:
        """That a row was imported, now."""
        self.report.table(row.table).imported += 1
        repo.remember(self.session, _SYSTEM + kind, row.id, ours, row.fingerprint, self.now)


_AMOUNTS = {
    "ai_usages": ("cost", "total_cost"),
    "ai_overages": ("amount", "cost"),
    "ai_credit_wallets": ("balance", "balance"),
}


def what_of(row: SourceRow) -> str:
    """The name of the sum that a row belongs to."""
    if row.table == "ai_overages":
        is_synced = row.text("synced_at") or row.text("stripe_invoice_item_id")
        return "synced" if is_synced else "unsynced"
    return _AMOUNTS[row.table][0]


def _money(row: SourceRow) -> tuple[str, str, int] | None:
    if row.table not in _AMOUNTS:
        return None
    try:
        nanos = row.nanos(_AMOUNTS[row.table][1])
        return what_of(row), currency_code(row.needed("currency")), nanos or 0
    except InvalidInput:
        return None
