"""What was used, by whom and of what, and what it cost. Sums never go over two currencies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import RowMapping
from sqlmodel import Session

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.local_days import first_day, offsets
from aimeter_cli.domain.pricing import TOKEN_FIELDS
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.errors import InvalidInput
from aimeter_cli.repositories import reports as repo
from aimeter_cli.services.billables import billable_named
from aimeter_cli.services.reports.span import Span

DIMENSIONS = repo.DIMENSIONS
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
"""Before it, a zone has the offset that it had then."""


@dataclass(frozen=True, slots=True)
class ReportRow:
    """Sums of a group; the dimensions that were not asked for are None.

    ``cost`` is in ``currency``; ``charge``, what it added to overages, in ``charge_currency``, the
    plan's. ``unpriced`` usages are in all but ``cost``. ``others``: how many smaller rows it is
    the sum of.
    """

    requests: int
    input_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost: Decimal
    currency: str
    charge: Decimal
    charge_currency: str
    unpriced: int
    day: str | None = None
    billable: str | None = None
    tenant: str | None = None
    provider: str | None = None
    model: str | None = None
    feature: str | None = None
    others: int = 0

    @property
    def tokens(self) -> int:
        return sum(getattr(self, name) for name in TOKEN_FIELDS)


@dataclass(frozen=True, slots=True)
class Total:
    """All that cost something in ``currency``, and all that was charged in it."""

    currency: str
    requests: int
    tokens: int
    cost: Decimal
    charge: Decimal
    unpriced: int


@dataclass(frozen=True, slots=True)
class UsageReport:
    """``is_inexact``: it has pruned usage in it, of which only sums of days of UTC are known, and
    covers or shows other days."""

    span: Span
    billable: str | None
    by: tuple[str, ...]
    rows: list[ReportRow]
    totals: list[Total]
    is_inexact: bool


def dimensions(text: str) -> tuple[str, ...]:
    """``provider,model`` → its words. Raises InvalidInput."""
    words = tuple(word.strip() for word in text.split(",") if word.strip())
    for word in words:
        if word not in DIMENSIONS:
            raise InvalidInput(f"--by: {word!r} is none of {', '.join(DIMENSIONS)}")
        if words.count(word) > 1:
            raise InvalidInput(f"--by: {word} is given twice")
    return words


def usage_report(
    database: Database,
    span: Span,
    by: tuple[str, ...],
    *,
    billable: BillableRef | None = None,
    limit: int | None = None,
) -> UsageReport:
    """The dearest group first, but days in their order. Raises NotFound for an unknown billable.

    ``limit``: of each pair of currencies at most so many groups; the others are one row.
    """
    with database.read() as session:
        found = list(repo.usage_sums(session, _wanted(session, span, by, billable)))
    rows = _joined([_row(each, by) for each in found], by)
    is_utc = span.is_of_utc_days and ("day" not in by or span.timezone == "UTC")
    is_inexact = not is_utc and any(each["pruned"] for each in found)
    told = str(billable) if billable is not None else None
    shown = _sorted(_limited(rows, limit), by)
    return UsageReport(span, told, by, shown, _totals(rows), is_inexact)


def _wanted(
    session: Session, span: Span, by: tuple[str, ...], billable: BillableRef | None
) -> repo.Wanted:
    zone, since = span.timezone, span.since
    return repo.Wanted(
        by,
        since,
        span.until,
        first_day(zone, since) if since is not None else None,
        first_day(zone, span.until),
        offsets(zone, since or min(_LONG_AGO, span.until), span.until) if "day" in by else (),
        billable_named(session, billable).id if billable is not None else None,
    )


def _row(found: RowMapping, by: Iterable[str]) -> ReportRow:
    counts: dict[str, Any] = {
        name: int(found[name]) for name in ("requests", *TOKEN_FIELDS, "unpriced")
    }
    return ReportRow(
        **counts,
        cost=found["cost"] or Decimal(0),
        currency=found["currency"],
        charge=found["charge"],
        charge_currency=found["charge_currency"],
        **{name: found[name] for name in by},
    )


def _joined(rows: Iterable[ReportRow], by: Sequence[str]) -> list[ReportRow]:
    """One row for each group and currency: what charged nothing has no currency of its own."""
    groups: dict[tuple[object, ...], list[ReportRow]] = defaultdict(list)
    for row in rows:
        groups[row.currency, *(getattr(row, name) for name in by)].append(row)
    joined: list[ReportRow] = []
    for group in groups.values():
        first, *more = [row for row in group if row.charge] or group[:1]
        free = [row for row in group if not row.charge and row is not first]
        joined += [_sum([first, *free]) if free else first, *more]
    return joined


def _limited(rows: list[ReportRow], limit: int | None) -> list[ReportRow]:
    if limit is None:
        return rows
    groups: dict[tuple[str, str], list[ReportRow]] = defaultdict(list)
    for row in sorted(rows, key=_size, reverse=True):
        groups[row.currency, row.charge_currency].append(row)
    kept: list[ReportRow] = []
    for group in groups.values():
        kept += group[:limit]
        if len(group) > limit:
            kept.append(_others(group[limit:]))
    return kept


def _size(row: ReportRow) -> tuple[Decimal, int]:
    return row.cost, row.tokens


def _others(rows: Sequence[ReportRow]) -> ReportRow:
    nameless: dict[str, Any] = dict.fromkeys(DIMENSIONS)
    return replace(_sum(rows), **nameless, others=len(rows))


def _sum(rows: Sequence[ReportRow]) -> ReportRow:
    """Under the name and the currencies of the first."""
    names = ("requests", *TOKEN_FIELDS, "cost", "charge", "unpriced")
    sums: dict[str, Any] = {name: sum(getattr(row, name) for row in rows) for name in names}
    return replace(rows[0], **sums)


def _sorted(rows: list[ReportRow], by: tuple[str, ...]) -> list[ReportRow]:
    """Currencies apart, the others at the end of theirs."""

    def key(row: ReportRow) -> tuple[object, ...]:
        names = [str(getattr(row, name) or "") for name in by]
        day = row.day or ""
        currencies = (row.currency, row.charge_currency)
        return *currencies, row.others > 0, day, -row.cost, -row.tokens, *names

    return sorted(rows, key=key)


def _totals(rows: Iterable[ReportRow]) -> list[Total]:
    empty = {"requests": 0, "tokens": 0, "unpriced": 0}
    sums: dict[str, Total] = {}

    def total(currency: str) -> Total:
        return sums.get(currency) or Total(
            currency=currency, cost=Decimal(0), charge=Decimal(0), **empty
        )

    for row in rows:
        mine = total(row.currency)
        sums[row.currency] = replace(
            mine,
            requests=mine.requests + row.requests,
            tokens=mine.tokens + row.tokens,
            cost=mine.cost + row.cost,
            unpriced=mine.unpriced + row.unpriced,
        )
        if row.charge:
            charged = total(row.charge_currency)
            sums[row.charge_currency] = replace(charged, charge=charged.charge + row.charge)
    return [sums[currency] for currency in sorted(sums)]
