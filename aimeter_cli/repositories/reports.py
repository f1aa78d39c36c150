"""Sums of usages, and of what pruning left of them, by whatever is asked for.

One statement, so that a prune meanwhile is seen wholly or not at all. The usages of a billable are
found by its index; a report on everybody reads all usages.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    and_,
    case,
    func,
    literal_column,
    select,
    union_all,
)
from sqlmodel import Session

from aimeter_cli.domain.pricing import TOKEN_FIELDS
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.usages import Usage, UsageCounter, UsageDay

DIMENSIONS = ("day", "billable", "tenant", "provider", "model", "feature")
SUMS = ("requests", *TOKEN_FIELDS, "cost", "charge", "unpriced", "pruned")

_usages = table_of(Usage)
_days = table_of(UsageDay)
_counters = table_of(UsageCounter)
_billables = table_of(Billable)
_ZERO: ColumnElement[int] = literal_column("0")
_ONE: ColumnElement[int] = literal_column("1")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Usages that occurred in ``[since, until)``, and pruned days in ``[first_day, last_day)``.

    ``offsets``: of the zone whose days are meant, each (from when on, offset from UTC).
    """

    by: Sequence[str]
    since: datetime | None
    until: datetime
    first_day: date | None
    end_day: date
    offsets: Sequence[tuple[datetime, timedelta]]
    billable_id: int | None = None


def usage_sums(session: Session, wanted: Wanted) -> Iterator[RowMapping]:
    """A row for each group and pair of currencies, in no order.

    It has the dimensions (``billable`` as a reference, ``day`` as ``2026-10-31``), ``currency`` of
    ``cost``, ``charge_currency`` and :data:`SUMS`; ``pruned`` counts rows of daily sums in it.
    """
    connection = session.connection()
    is_sqlite = connection.dialect.name == "sqlite"
    both = union_all(_of_usages(wanted, is_sqlite=is_sqlite), _of_days(wanted)).subquery()
    groups = [both.c[name] for name in (*wanted.by, "currency", "charge_currency")]
    summed = select(*groups, *(func.sum(both.c[name]).label(name) for name in SUMS))
    query: Select[Any] = summed.group_by(*groups)
    if "billable" in wanted.by:
        inner = query.subquery()
        reference = (_billables.c.type + ":" + _billables.c.external_id).label("billable")
        others = [column for column in inner.c if column.name != "billable"]
        query = select(reference, *others).join(_billables, _billables.c.id == inner.c.billable)
    yield from connection.execute(query).mappings()


def _of_usages(wanted: Wanted, *, is_sqlite: bool) -> Select[Any]:
    c = _usages.c
    is_request = case((c.adjusts_id.is_(None), _ONE), else_=_ZERO)
    is_unpriced = case((c.state == "unpriced", _ONE), else_=_ZERO)
    sums = {
        "requests": func.sum(is_request),
        **{name: func.sum(c[name]) for name in (*TOKEN_FIELDS, "cost", "charge")},
        "unpriced": func.sum(is_unpriced),
        "pruned": _ZERO,
    }
    conditions: list[ColumnElement[bool]] = [c.occurred_at < wanted.until]
    if wanted.since is not None:
        conditions.append(c.occurred_at >= wanted.since)
    if wanted.billable_id is not None:
        conditions.append(c.billable_id == wanted.billable_id)
    groups = {
        name: _local_day(wanted, is_sqlite=is_sqlite) if name == "day" else c[_column(name)]
        for name in wanted.by
    }
    query = _grouped(groups, c.currency, sums)
    joined = _usages.outerjoin(_counters, _counters.c.id == c.counter_id)
    return query.select_from(joined).where(and_(*conditions))


def _of_days(wanted: Wanted) -> Select[Any]:
    c = _days.c
    sums = {
        **{name: func.sum(c[name]) for name in ("requests", *TOKEN_FIELDS, "cost", "charge")},
        "unpriced": _ZERO,
        "pruned": func.count(),
    }
    conditions: list[ColumnElement[bool]] = [c.day < wanted.end_day.isoformat()]
    if wanted.first_day is not None:
        conditions.append(c.day >= wanted.first_day.isoformat())
    if wanted.billable_id is not None:
        conditions.append(c.billable_id == wanted.billable_id)
    query = _grouped({name: c[_column(name)] for name in wanted.by}, c.currency, sums)
    joined = _days.outerjoin(_counters, _counters.c.id == c.counter_id)
    return query.select_from(joined).where(and_(*conditions))


def _grouped(
    dimensions: dict[str, ColumnElement[Any]],
    currency: ColumnElement[Any],
    sums: dict[str, ColumnElement[Any]],
) -> Select[Any]:
    groups = {
        **dimensions,
        "currency": currency,
        "charge_currency": func.coalesce(_counters.c.currency, currency),
    }
    labelled = [column.label(name) for name, column in (groups | sums).items()]
    return select(*labelled).group_by(*groups.values())


def _column(dimension: str) -> str:
    return "billable_id" if dimension == "billable" else dimension


def _local_day(wanted: Wanted, *, is_sqlite: bool) -> ColumnElement[Any]:
    """The day of ``occurred_at`` in the zone. The same offsets for every database, whatever it
    knows of zones."""
    at = _usages.c.occurred_at
    expressions = [_shifted(offset, is_sqlite=is_sqlite) for _, offset in wanted.offsets]
    ends = [begin for begin, _ in wanted.offsets[1:]]
    cases = [(at < end, day) for end, day in zip(ends, expressions, strict=False)]
    return case(*cases, else_=expressions[-1]) if cases else expressions[-1]


def _shifted(offset: timedelta, *, is_sqlite: bool) -> ColumnElement[Any]:
    seconds = int(offset.total_seconds())
    if is_sqlite and not seconds:
        return literal_column("substr(ai_usages.occurred_at, 1, 10)")
    if is_sqlite:
        second = "substr(ai_usages.occurred_at, 1, 19)"  # it would round microseconds up
        return literal_column(f"strftime('%Y-%m-%d', {second}, '{seconds:+d} seconds')")
    shifted = f"(ai_usages.occurred_at AT TIME ZONE 'UTC') + interval '{seconds} seconds'"
    return literal_column(f"to_char({shifted}, 'YYYY-MM-DD')")
