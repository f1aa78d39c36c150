"""Periods are [start, end), touch without gap or overlap, and never drift."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimeter_cli.domain.periods import (
    ALIGNMENTS,
    PERIOD_TYPES,
    Period,
    PeriodRule,
    iso,
    parse_time,
    zone,
)
from aimeter_cli.errors import InvalidInput

FIRST, LAST = (datetime.fromisoformat(f"{year}-01-01") for year in (1990, 2090))
moments = st.datetimes(FIRST, LAST, timezones=st.just(UTC))
rules = st.builds(
    PeriodRule,
    st.sampled_from(PERIOD_TYPES),
    st.sampled_from(ALIGNMENTS),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"]),
)


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _period(start: str, end: str) -> Period:
    return Period(_utc(start), _utc(end))


@given(rules, moments, moments)
def test_the_period_of_a_moment_holds_it(
    rule: PeriodRule, moment: datetime, anchor: datetime
) -> None:
    assert moment in rule.period_at(moment, anchor)


@given(rules, moments, moments)
def test_the_next_period_begins_where_this_one_ends(
    rule: PeriodRule, moment: datetime, anchor: datetime
) -> None:
    period = rule.period_at(moment, anchor)
    assert rule.period_at(period.end, anchor).start == period.end
    last = period.end - timedelta(microseconds=1)
    assert rule.period_at(last, anchor) == period
    assert rule.period_at(period.start, anchor) == period


@given(moments)
def test_an_anchored_period_begins_at_its_anchor(anchor: datetime) -> None:
    for kind in PERIOD_TYPES:
        assert PeriodRule(kind, "anchored").period_at(anchor, anchor).start == anchor


ANCHORED = [
    # type, anchor, moment, start, end
    ("monthly", "2026-01-31", "2026-02-10", "2026-01-31", "2026-02-28"),
    ("monthly", "2026-01-31", "2026-03-01", "2026-02-28", "2026-03-31"),
    ("monthly", "2026-01-31", "2026-03-31", "2026-03-31", "2026-04-30"),
    ("monthly", "2028-01-31", "2028-02-29", "2028-02-29", "2028-03-31"),
    ("monthly", "2026-05-15", "2026-03-01", "2026-02-15", "2026-03-15"),  # before its anchor
    ("yearly", "2024-02-29", "2026-01-01", "2025-02-28", "2026-02-28"),
    ("yearly", "2024-02-29", "2028-02-29", "2028-02-29", "2029-02-28"),
    ("weekly", "2026-11-04", "2026-11-17", "2026-11-11", "2026-11-18"),
    ("daily", "2026-11-04T06:30", "2026-11-05T06:29", "2026-11-04T06:30", "2026-11-05T06:30"),
]


@pytest.mark.parametrize(("kind", "anchor", "moment", "start", "end"), ANCHORED)
def test_anchored_periods_are_clamped_and_never_chained(
    kind: str, anchor: str, moment: str, start: str, end: str
) -> None:
    rule = PeriodRule(kind, "anchored")  # type: ignore[arg-type]
    assert rule.period_at(_utc(moment), _utc(anchor)) == _period(start, end)


CALENDAR = [
    # type, zone, moment, start, end
    ("monthly", "UTC", "2026-10-31T23:59:59", "2026-10-01", "2026-11-01"),  # the last second, too
    ("monthly", "UTC", "2026-11-01", "2026-11-01", "2026-12-01"),
    ("monthly", "Europe/Berlin", "2026-10-31T23:30", "2026-10-31T23:00", "2026-11-30T23:00"),
    ("daily", "Europe/Berlin", "2026-03-29T12:00", "2026-03-28T23:00", "2026-03-29T22:00"),  # 23 h
    ("daily", "Europe/Berlin", "2026-10-25T12:00", "2026-10-24T22:00", "2026-10-25T23:00"),  # 25 h
    ("weekly", "UTC", "2026-11-15T12:00", "2026-11-09", "2026-11-16"),
    ("yearly", "UTC", "2026-11-15", "2026-01-01", "2027-01-01"),
]


@pytest.mark.parametrize(("kind", "tz", "moment", "start", "end"), CALENDAR)
def test_calendar_periods_follow_the_zones_wall_clock(
    kind: str, tz: str, moment: str, start: str, end: str
) -> None:
    rule = PeriodRule(kind, "calendar", tz)  # type: ignore[arg-type]
    assert rule.period_at(_utc(moment), _utc("2020-01-01")) == _period(start, end)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-10-31T12:00:00Z", "2026-10-31T12:00:00Z"),
        ("2026-10-31T12:00:00+02:00", "2026-10-31T10:00:00Z"),
        ("2026-10-31", "2026-10-31T00:00:00Z"),
        ("2026-10-31T12:00:00.250000Z", "2026-10-31T12:00:00.250000Z"),
    ],
)
def test_times_are_read_and_written_in_iso_8601(text: str, expected: str) -> None:
    assert iso(parse_time(text)) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "yesterday",
            ("--at: 'yesterday' is not a time: expected ISO 8601, such as 2026-10-31T12:00:00Z"),
        ),
        (
            "2026-10-31T12:00:00",
            ("--at: '2026-10-31T12:00:00' has no UTC offset: add Z or, say, +02:00"),
        ),
        ("0001-01-01T00:00:00+14:00", "--at: '0001-01-01T00:00:00+14:00' is out of range"),
    ],
)
def test_an_unusable_time_says_why(text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_time(text, "--at")
    assert caught.value.message == message


def test_zones_have_iana_names() -> None:
    assert zone("Europe/Berlin") == ZoneInfo("Europe/Berlin")
    for wrong in ("Berlin/Europe", "", "../etc/passwd"):
        with pytest.raises(InvalidInput, match="unknown time zone"):
            zone(wrong)
