"""Times as people read them: ages, and dates where an age says nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from aimeter_cli.render.ages import age, date

NOW = datetime(2026, 11, 15, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "before", "after"),
    [
        (0, "now", "now"),
        (59, "now", "now"),
        (60, "1 min ago", "in 1 min"),
        (89 * 60 + 59, "89 min ago", "in 89 min"),
        (90 * 60, "1 h ago", "in 1 h"),
        (3 * 3600, "3 h ago", "in 3 h"),
        (48 * 3600 - 1, "47 h ago", "in 47 h"),
        (48 * 3600, "2 days ago", "in 2 days"),
        (59 * 86_400, "59 days ago", "in 59 days"),
        (60 * 86_400, "2026-09-16 12:00Z", "2027-01-14 12:00Z"),
    ],
)
def test_an_age_is_never_more_than_what_has_passed(seconds: int, before: str, after: str) -> None:
    assert age(NOW - timedelta(seconds=seconds), NOW) == before
    assert age(NOW + timedelta(seconds=seconds), NOW) == after


@pytest.mark.parametrize(
    ("moment", "shown"),
    [
        (datetime(2026, 11, 1, tzinfo=UTC), "2026-11-01"),
        (datetime(2026, 11, 1, 0, 0, 59, tzinfo=UTC), "2026-11-01"),
        (datetime(2026, 11, 1, 8, 30, tzinfo=UTC), "2026-11-01 08:30Z"),
        (datetime(2026, 11, 1, tzinfo=timezone(timedelta(hours=1))), "2026-10-31 23:00Z"),
    ],
)
def test_a_date_has_its_time_unless_it_is_midnight(moment: datetime, shown: str) -> None:
    assert date(moment) == shown
