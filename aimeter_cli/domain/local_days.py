"""Days of a time zone: which one a time in UTC belongs to, also where a database knows no zones."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from aimeter_cli.domain.periods import zone

_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)


def offsets(timezone: str, start: datetime, end: datetime) -> list[tuple[datetime, timedelta]]:
    """(from when on, offset from UTC) within ``[start, end)``, in order; the first from ``start``.

    An offset that holds for less than a day is overlooked.
    """
    found = [(start, _offset(timezone, start))]
    moment = start
    while moment < end:
        following = min(moment + _DAY, end)
        after = _offset(timezone, following)
        if after != found[-1][1]:
            found.append((_change(timezone, moment, following), after))
        moment = following
    return found


def first_day(timezone: str, moment: datetime) -> date:
    """The first day of the zone that begins at ``moment`` or later."""
    local = moment.astimezone(zone(timezone))
    return local.date() if local.time() == datetime.min.time() else local.date() + _DAY


def midnight(timezone: str, day: date) -> datetime:
    """When a day of the zone begins, aware UTC."""
    local = datetime(day.year, day.month, day.day, tzinfo=zone(timezone))
    return local.astimezone(UTC)


def _offset(timezone: str, moment: datetime) -> timedelta:
    offset = moment.astimezone(zone(timezone)).utcoffset()
    return offset if offset is not None else timedelta()


def _change(timezone: str, before: datetime, after: datetime) -> datetime:
    """The second from which on the offset is that of ``after``; it changes once between them."""
    wanted = _offset(timezone, after)
    while after - before > _SECOND:
        middle = before + timedelta(seconds=(after - before) // _SECOND // 2)
        if _offset(timezone, middle) == wanted:
            after = middle
        else:
            before = middle
    return after
