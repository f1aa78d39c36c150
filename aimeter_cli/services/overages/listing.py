"""Overages as operators see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlmodel import Session

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.money import Money
from aimeter_cli.domain.periods import Period, PeriodRule, parse_time
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.errors import InvalidInput, NotFound
from aimeter_cli.models.overages import STATUSES, UNSYNCED
from aimeter_cli.repositories import overages as repo
from aimeter_cli.repositories.overages import Filter, OverageView

if TYPE_CHECKING:  # models that a plain list does not need, and should not wait for
    from aimeter_cli.services.overages.stranded import Stranded


@dataclass(frozen=True, slots=True)
class Listing:
    """The rows shown, (currency, count, amount) of everything that matches, and what stranded it,
    where that was asked for."""

    rows: list[OverageView]
    totals: list[tuple[str, int, Decimal]]
    stranded: Sequence[Stranded] = ()

    @property
    def summary(self) -> list[str]:
        """What all that matches comes to, a line for each currency; then why it is stranded."""
        totals = [
            f"{count} overage(s), {Money(amount, currency)} in all"
            for currency, count, amount in self.totals
        ]
        shown = {row.stranded_reason for row in self.rows}
        return totals + [each.in_words for each in self.stranded if each.reason in shown]


def list_overages(
    database: Database,
    *,
    statuses: Sequence[str] | None = None,
    billable: str | None = None,
    period: Period | None = None,
    run: str | None = None,
    stranded: Sequence[Stranded] | None = None,
    limit: int | None = 100,
) -> Listing:
    """The newest first. ``run``: a run's id, or how it begins; ``stranded``: on one of its items.

    Raises InvalidInput for an unknown status, NotFound for an unknown run.
    """
    unknown = [status for status in statuses or () if status not in STATUSES]
    if unknown:
        raise InvalidInput(f"--status: {unknown[0]!r} is none of {', '.join(STATUSES)}")
    who = BillableRef.parse(billable) if billable is not None else None
    reasons = {item: each.reason for each in stranded or () for item in each.items}
    with database.read() as session:
        wanted = Filter(
            tuple(statuses) if statuses is not None else None, who, period,
            _run_id(session, run) if run is not None else None,
            tuple(reasons) if stranded is not None else None,
        )  # fmt: skip
        rows = [
            replace(row, stranded_reason=reasons.get(row.item_id or 0))
            for row in repo.find_overages(session, wanted, limit)
        ]
        return Listing(rows, repo.totals(session, wanted), stranded or ())


def _run_id(session: Session, run: str) -> str:
    from aimeter_cli.services.jobs import find_run

    return find_run(session, run)


def statuses_of(
    *, unsynced: bool, synced: bool, failed: bool, status: Sequence[str]
) -> tuple[str, ...] | None:
    """The statuses that the options of ``overages list`` ask for; None: any."""
    wanted = set(status)
    if unsynced:
        wanted |= set(UNSYNCED)
    if synced:
        wanted.add("synced")
    if failed:
        wanted.add("failed")
    return tuple(sorted(wanted)) or None


def month_or_time(text: str, timezone: str) -> Period:
    """``2026-10`` → that month in the time zone; a time → the month that holds it."""
    try:
        moment = parse_time(f"{text}-15" if len(text) == 7 else text, "--period")
    except InvalidInput:
        raise InvalidInput(f"--period: {text!r} is no month such as 2026-10") from None
    return PeriodRule("monthly", "calendar", timezone).period_at(moment, moment)


def show_overage(database: Database, overage_id: int) -> OverageView:
    """Raises NotFound."""
    with database.read() as session:
        return found(session, [overage_id])[0]


def found(session: Session, ids: Sequence[int]) -> list[OverageView]:
    """Every one of these. Raises NotFound."""
    views = repo.overage_views(session, ids)
    missing = sorted(set(ids) - {view.id for view in views})
    if missing:
        raise NotFound(f"there is no overage {missing[0]}", hint="aimeter overages list")
    return views
