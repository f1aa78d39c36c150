"""The status follows from the facts and the time; nothing needs to run for it to be right."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from aimeter_cli.domain.subscription import STATUSES, covers, in_trial, is_over, status

NOW = datetime(2026, 11, 15, tzinfo=UTC)


def _day(days: int) -> datetime:
    return NOW + timedelta(days=days)


LONG_AGO = _day(-30)


@dataclass
class Facts:
    started_at: datetime = LONG_AGO
    ends_at: datetime | None = None
    trial_ends_at: datetime | None = None
    grace_period_ends_at: datetime | None = None
    expired_at: datetime | None = None
    paused_at: datetime | None = None
    is_incomplete: bool = False


TABLE = [
    (Facts(), "active", True),
    (Facts(started_at=NOW), "active", True),
    (Facts(started_at=_day(1)), "scheduled", False),
    (Facts(is_incomplete=True), "incomplete", False),
    (Facts(trial_ends_at=_day(1)), "trialing", True),
    (Facts(trial_ends_at=NOW), "active", True),
    (Facts(paused_at=_day(-1)), "paused", True),
    (Facts(paused_at=_day(1)), "active", True),
    (Facts(grace_period_ends_at=_day(1)), "grace", True),
    (Facts(grace_period_ends_at=_day(1), trial_ends_at=_day(2)), "grace", True),
    (Facts(grace_period_ends_at=NOW), "expired", False),
    (Facts(expired_at=_day(-1)), "expired", False),
    (Facts(ends_at=_day(1)), "active", True),  # cancelled at the period's end: still served
    (Facts(ends_at=NOW), "canceled", False),
    (Facts(ends_at=_day(-1), grace_period_ends_at=_day(-2)), "canceled", False),
]


@pytest.mark.parametrize(("facts", "expected", "covered"), TABLE)
def test_the_status_follows_from_facts_and_time(facts: Facts, expected: str, covered: bool) -> None:
    assert status(facts, NOW) == expected
    assert covers(facts, NOW) is covered
    assert is_over(facts, NOW) is (expected in ("canceled", "expired"))


def test_the_table_shows_every_status() -> None:
    assert {expected for _, expected, _ in TABLE} == set(STATUSES)


def test_nothing_is_covered_before_the_start() -> None:
    assert not covers(Facts(started_at=NOW), NOW - timedelta(microseconds=1))


def test_a_trial_ends_at_its_end() -> None:
    facts = Facts(trial_ends_at=NOW)
    assert in_trial(facts, NOW - timedelta(seconds=1))
    assert not in_trial(facts, NOW)
    assert not in_trial(Facts(), NOW)
