"""What became of every row, and the sums on both sides."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from aimeter_cli.domain.money import from_nanos

_NAMED = 5
_REASONS = 100
OTHER = "other reasons"


@dataclass(slots=True)
class Tally:
    """One table of ``rows``: ``read = imported + there_already + left_out``."""

    table: str
    rows: int = 0
    read: int = 0
    imported: int = 0
    there_already: int = 0
    left_out: int = 0


@dataclass(slots=True)
class LeftOut:
    """Rows of one table that were not taken, for one reason. ``ids``: the first of theirs."""

    table: str
    reason: str
    rows: int = 0
    first: list[int] = field(default_factory=list)

    @property
    def ids(self) -> str:
        more = f" and {self.rows - len(self.first):,} more" if self.rows > len(self.first) else ""
        return ", ".join(map(str, self.first)) + more


@dataclass(slots=True)
class Sum:
    """Nanos of ``currency``: what their rows say, what of it was left out, what ours say."""

    table: str
    what: str
    currency: str
    their_nanos: int = 0
    left_out_nanos: int = 0
    our_nanos: int = 0

    @property
    def theirs(self) -> Decimal:
        return from_nanos(self.their_nanos)

    @property
    def left_out(self) -> Decimal:
        return from_nanos(self.left_out_nanos)

    @property
    def ours(self) -> Decimal:
        return from_nanos(self.our_nanos)

    @property
    def difference(self) -> Decimal:
        return from_nanos(self.our_nanos + self.left_out_nanos - self.their_nanos)


@dataclass(slots=True)
class Reconciliation:
    """The whole import. ``notes``: what an operator should know beside the numbers."""

    source: str
    dry_run: bool
    tables: list[Tally] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    sums: list[Sum] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def adds_up(self) -> bool:
        """Every row was read, and both sides come to the same."""
        all_read = all(each.read == each.rows for each in self.tables)
        return all_read and not any(each.difference for each in self.sums)

    @property
    def rows_left_out(self) -> int:
        return sum(each.left_out for each in self.tables)

    def table(self, name: str) -> Tally:
        found = next((each for each in self.tables if each.table == name), None)
        if found is None:
            found = Tally(name)
            self.tables.append(found)
        return found

    def leave_out(self, table: str, row_id: int, reason: str) -> None:
        """A row that was read is not taken."""
        self.table(table).left_out += 1
        found = self._reason(table, reason)
        found.rows += 1
        if len(found.first) < _NAMED:
            found.first.append(row_id)

    def sum_of(self, table: str, what: str, currency: str) -> Sum:
        key = (table, what, currency)
        for each in self.sums:
            if (each.table, each.what, each.currency) == key:
                return each
        self.sums.append(Sum(*key))
        return self.sums[-1]

    def note(self, count: int, told: str) -> None:
        """``told`` about so many rows, if there are any."""
        if count:
            self.notes.append(f"{count:,} {told}")

    def _reason(self, table: str, reason: str) -> LeftOut:
        of_table = [each for each in self.left_out if each.table == table]
        if len(of_table) >= _REASONS and not _has(of_table, reason):
            reason = OTHER
        found = next((each for each in of_table if each.reason == reason), None)
        if found is None:
            found = LeftOut(table, reason)
            self.left_out.append(found)
        return found


def _has(found: Iterable[LeftOut], reason: str) -> bool:
    return any(each.reason == reason for each in found)
