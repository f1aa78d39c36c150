"""Metering periods: half-open ranges ``[start, end)`` of aware UTC times.

Source: DESIGN.md, "Metering rules". Calendar periods follow the wall clock of a time zone;
anchored ones count whole months (weeks, days, years) from an anchor, clamped to the month's
length and never chained: 31 January → 28 February → 31 March.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, datetime, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aimeter_cli.errors import InvalidInput

PeriodType = Literal["monthly", "weekly", "daily", "yearly"]
Alignment = Literal["calendar", "anchored"]
PERIOD_TYPES: tuple[PeriodType, ...] = ("monthly", "weekly", "daily", "yearly")
ALIGNMENTS: tuple[Alignment, ...] = ("calendar", "anchored")


@dataclass(frozen=True, slots=True)
class Period:
    """``[start, end)``, aware UTC."""

    start: datetime
    end: datetime

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end


@dataclass(frozen=True, slots=True)
class PeriodRule:
    """How a subscription's time is cut into periods."""

    type: PeriodType
    alignment: Alignment
    timezone: str = "UTC"

    def period_at(self, moment: datetime, anchor: datetime) -> Period:
        """The period that holds ``moment``; ``anchor`` matters to anchored periods only."""
        if self.alignment == "calendar":
            return _calendar(self.type, moment, zone(self.timezone))
        return _anchored(self.type, moment, anchor)


@lru_cache(maxsize=64)
def zone(name: str) -> ZoneInfo:
    """A time zone by its IANA name. Raises InvalidInput for an unknown one."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(
            f"unknown time zone {name!r}: expected an IANA name such as Europe/Berlin"
        ) from None


def _calendar(kind: PeriodType, moment: datetime, tz: ZoneInfo) -> Period:
    local = moment.astimezone(tz)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None, fold=0)
    if kind == "daily":
        start, end = midnight, midnight + timedelta(days=1)
    elif kind == "weekly":  # ISO weeks begin on Monday
        start = midnight - timedelta(days=midnight.weekday())
        end = start + timedelta(days=7)
    elif kind == "monthly":
        start = midnight.replace(day=1)
        end = _plus_months(start, 1)
    else:
        start = midnight.replace(month=1, day=1)
        end = _plus_months(start, 12)
    return Period(*(edge.replace(tzinfo=tz).astimezone(UTC) for edge in (start, end)))


def _anchored(kind: PeriodType, moment: datetime, anchor: datetime) -> Period:
    if kind in ("daily", "weekly"):
        length = timedelta(days=1 if kind == "daily" else 7)
        start = anchor + (moment - anchor) // length * length
        return Period(start, start + length)
    step = 1 if kind == "monthly" else 12
    months = (moment.year - anchor.year) * 12 + moment.month - anchor.month
    count = months // step
    while _plus_months(anchor, count * step) > moment:
        count -= 1
    while _plus_months(anchor, (count + 1) * step) <= moment:
        count += 1
    return Period(_plus_months(anchor, count * step), _plus_months(anchor, (count + 1) * step))


def _plus_months(moment: datetime, months: int) -> datetime:
    index = moment.year * 12 + moment.month - 1 + months
    year, month = divmod(index, 12)
    if year > MAXYEAR:
        raise OverflowError(f"the year {year} is out of range")
    day = min(moment.day, monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)


def parse_time(text: str, what: str = "time") -> datetime:
    """An ISO 8601 time with its offset → aware UTC; a bare date is midnight UTC.

    Raises InvalidInput, naming ``what``, for anything else, a naive time included.
    """
    try:
        moment = datetime.fromisoformat(text)
    except (ValueError, TypeError):
        raise InvalidInput(
            f"{what}: {text!r} is not a time: expected ISO 8601, such as 2026-10-31T12:00:00Z"
        ) from None
    if moment.tzinfo is None:
        if len(text) > 10:
            raise InvalidInput(f"{what}: {text!r} has no UTC offset: add Z or, say, +02:00")
        return moment.replace(tzinfo=UTC)
    if moment.tzinfo is UTC:
        return moment
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise InvalidInput(f"{what}: {text!r} is out of range") from None


def iso(moment: datetime) -> str:
    """Aware time → ``2026-10-31T12:00:00Z``, with microseconds only where there are some."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat()[:-6] + "Z"
