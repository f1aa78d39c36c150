"""Times as people read them on a terminal: how long ago, how soon, or the date."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_SPANS = (
    (timedelta(minutes=90), timedelta(minutes=1), "min"),
    (timedelta(days=2), timedelta(hours=1), "h"),
    (timedelta(days=60), timedelta(days=1), "days"),
)
"""Below the first so many of the second, named by the third."""


def age(moment: datetime, now: datetime) -> str:
    """``3 h ago``, ``in 5 days``; from sixty days on the date. Never more than has passed."""
    distance = abs(now - moment)
    if distance < timedelta(minutes=1):
        return "now"
    for below, unit, word in _SPANS:
        if distance < below:
            text = f"{distance // unit} {word}"
            return f"in {text}" if moment > now else f"{text} ago"
    return date(moment)


def date(moment: datetime) -> str:
    """The day in UTC, with the time only where it is not midnight."""
    there = moment.astimezone(UTC)
    is_midnight = (there.hour, there.minute) == (0, 0)
    return f"{there:%F}" if is_midnight else f"{there:%F %H:%MZ}"
