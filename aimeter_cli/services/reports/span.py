"""The time that a report covers: a month or a range, in the time zone of the configuration."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from aimeter_cli.domain.local_days import midnight
from aimeter_cli.domain.periods import PeriodRule, iso, parse_time
from aimeter_cli.errors import InvalidInput

_MONTH = re.compile(r"\d{4}-\d{2}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class Span:
    """``[since, until)``, aware UTC; ``since`` None: from the first usage on."""

    since: datetime | None
    until: datetime
    timezone: str

    @property
    def in_words(self) -> str:
        """``from … to …``, in UTC."""
        begin = f"from {iso(self.since)} " if self.since is not None else ""
        return f"{begin}to {iso(self.until)}"

    @property
    def is_of_utc_days(self) -> bool:
        """Whether it begins and ends where a day of UTC does."""
        edges = [self.until, *([self.since] if self.since is not None else [])]
        return all(edge.astimezone(UTC).time() == time.min for edge in edges)


def span(
    timezone: str,
    *,
    now: datetime,
    month: str | None = None,
    since: str | None = None,
    until: str | None = None,
) -> Span:
    """What the options ask for; without any, the month that holds ``now``.

    ``2026-10`` is a month and ``2026-10-31`` a midnight of the zone. Raises InvalidInput.
    """
    if month is not None and (since is not None or until is not None):
        raise InvalidInput("--month: cannot be given together with --since or --until")
    if since is None and until is None:
        return _month(timezone, _day_of(month) if month is not None else now)
    begin = _moment(since, timezone, "--since") if since is not None else None
    end = _moment(until, timezone, "--until") if until is not None else now
    if begin is not None and begin >= end:
        told = "now" if until is None else "--until"
        raise InvalidInput(f"--since: {iso(begin)} is not before {told}, {iso(end)}")
    return Span(begin, end, timezone)


def _month(timezone: str, moment: datetime) -> Span:
    found = PeriodRule("monthly", "calendar", timezone).period_at(moment, moment)
    return Span(found.start, found.end, timezone)


def _day_of(month: str) -> datetime:
    """A time in that month, wherever the zone is."""
    try:
        if not _MONTH.fullmatch(month):
            raise ValueError
        return datetime.fromisoformat(f"{month}-15").replace(tzinfo=UTC)
    except ValueError:
        raise InvalidInput(f"--month: {month!r} is no month such as 2026-10") from None


def _moment(text: str, timezone: str, option: str) -> datetime:
    moment = parse_time(text, option)
    return midnight(timezone, date.fromisoformat(text)) if _DATE.fullmatch(text) else moment
