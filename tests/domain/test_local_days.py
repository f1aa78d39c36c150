"""Days of a zone: every moment has one, also around a change of the clocks."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimeter_cli.domain.local_days import first_day, midnight, offsets
from aimeter_cli.domain.periods import zone

BERLIN = "Europe/Berlin"
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_the_offset_of_utc_never_changes() -> None:
    assert offsets("UTC", at("2026-01-01"), at("2027-01-01")) == [(at("2026-01-01"), timedelta())]


def test_an_offset_changes_to_the_second_when_the_clocks_do() -> None:
    assert offsets(BERLIN, at("2026-01-01"), at("2027-01-01")) == [
        (at("2026-01-01"), HOUR),
        (at("2026-03-29T01:00:00"), 2 * HOUR),
        (at("2026-10-25T01:00:00"), HOUR),
    ]


@given(
    moment=st.integers(0, 10**9).map(lambda seconds: at("2001-01-02") + seconds * SECOND),
    name=st.sampled_from([BERLIN, "America/St_Johns", "Asia/Kolkata", "Australia/Lord_Howe"]),
)
def test_the_offsets_give_every_moment_the_day_that_the_zone_gives_it(
    moment: datetime, name: str
) -> None:
    found = offsets(name, moment - timedelta(days=200), moment + timedelta(days=1))
    offset = [each for begin, each in found if begin <= moment][-1]
    assert (moment + offset).date() == moment.astimezone(zone(name)).date()


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2026-10-31T23:00:00", date(2026, 11, 1)),
        ("2026-10-31T23:00:01", date(2026, 11, 2)),
        ("2026-10-31T22:59:59", date(2026, 11, 1)),
    ],
)
def test_the_first_day_begins_at_the_moment_or_later(moment: str, day: date) -> None:
    assert first_day(BERLIN, at(moment)) == day


@given(st.dates(date(2000, 1, 1), date(2035, 1, 1)))
def test_a_day_begins_at_its_midnight(day: date) -> None:
    assert first_day(BERLIN, midnight(BERLIN, day)) == day
