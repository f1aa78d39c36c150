"""A report's days, one after another, joined to weeks, months or years where they are many."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Literal

from aimeter_cli.services.reports.usage import ReportRow

Unit = Literal["day", "week", "month", "year"]
UNITS: tuple[Unit, ...] = ("day", "week", "month", "year")
MOST = 62
"""Parts of a timeline that can be told apart beside each other."""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Part:
    """``[first, last]``, days of the report's zone. ``costs`` and ``charges`` are by currency."""

    first: date
    last: date
    requests: int
    tokens: int
    costs: Mapping[str, Decimal]
    charges: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Timeline:
    """Without gaps: a day without usage is there, too."""

    unit: Unit
    parts: list[Part]


def timeline(rows: Iterable[ReportRow], first: date | None, today: date) -> Timeline:
    """``rows`` by day; from ``first``, or the first day that has usage, to the last or today.

    Weeks begin on Monday; the first and the last part may be shorter than the others.
    """
    days: dict[date, list[ReportRow]] = defaultdict(list)
    for row in rows:
        days[date.fromisoformat(row.day or "")].append(row)
    if not days:
        return Timeline("day", [])
    begin, end = first or min(days), max(*days, today)
    unit = next(each for each in UNITS if each == "year" or _count(begin, end, each) <= MOST)
    parts: dict[date, list[ReportRow]] = {start: [] for start in _starts(begin, end, unit)}
    for day, found in days.items():
        parts[max(_start(day, unit), begin)] += found
    edges = [*parts, end + _DAY]
    return Timeline(
        unit,
        [_part(start, following - _DAY, parts[start]) for start, following in pairwise(edges)],
    )


def _part(first: date, last: date, rows: Iterable[ReportRow]) -> Part:
    requests = tokens = 0
    costs: dict[str, Decimal] = defaultdict(Decimal)
    charges: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        requests += row.requests
        tokens += row.tokens
        costs[row.currency] += row.cost
        charges[row.charge_currency] += row.charge
    return Part(first, last, requests, tokens, costs, charges)


def _starts(begin: date, end: date, unit: Unit) -> Iterator[date]:
    start = begin
    while start <= end:
        yield start
        start = _following(_start(start, unit), unit)


def _count(begin: date, end: date, unit: Unit) -> int:
    return sum(1 for _ in _starts(begin, end, unit))


def _start(day: date, unit: Unit) -> date:
    if unit == "week":
        return day - timedelta(days=day.weekday())
    if unit == "month":
        return day.replace(day=1)
    return day.replace(month=1, day=1) if unit == "year" else day


def _following(start: date, unit: Unit) -> date:
    if unit == "month":
        return (start + timedelta(days=31)).replace(day=1)
    if unit == "year":
        return start.replace(year=start.year + 1)
    return start + (timedelta(days=7) if unit == "week" else _DAY)
