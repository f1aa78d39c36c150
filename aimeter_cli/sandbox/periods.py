"""Billing periods, in epoch seconds."""

from calendar import monthrange
from datetime import UTC, datetime, timedelta


def period_end(start: int, interval: str, count: int) -> int:
    """The end of a period in epoch seconds; months are clamped to their last day."""
    begin = datetime.fromtimestamp(start, UTC)
    if interval in ("day", "week"):
        return int((begin + timedelta(days=count * (7 if interval == "week" else 1))).timestamp())
    months = begin.month - 1 + count * (12 if interval == "year" else 1)
    year, month = begin.year + months // 12, months % 12 + 1
    day = min(begin.day, monthrange(year, month)[1])
    return int(begin.replace(year=year, month=month, day=day).timestamp())


def next_boundary(anchor: int, after: int, interval: str, count: int) -> int:
    """The first end of a period after a time, counted from the anchor, so that months keep its day.

    31 January is followed by 28 February and 31 March (Stripe: "Billing cycle anchor").
    """
    steps, unit = 1, {"day": 1, "week": 7, "month": 28, "year": 365}[interval]
    if after > anchor:
        longest = {"month": 31, "year": 366}.get(interval, unit)
        steps = max(1, (after - anchor) // (longest * count * 86_400) - 1)
    while (end := period_end(anchor, interval, steps * count)) <= after:
        steps += 1
    return end
