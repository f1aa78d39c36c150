"""What becomes of an open alert; and what the words are that may not be trusted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from aimeter_cli.domain.alerts import CONDITIONS, ONCE, AlertKind, Step, next_step, one_line

NOW = datetime(2026, 11, 15, 12, tzinfo=UTC)
DAY, HALF_HOUR = timedelta(days=1), timedelta(minutes=30)


def test_every_kind_is_either_told_once_or_begins_and_ends() -> None:
    assert CONDITIONS | set(ONCE.values()) == set(AlertKind)
    assert len(CONDITIONS) + len(ONCE) == len(AlertKind)


@pytest.mark.parametrize(
    ("holds", "told_ago", "gone_ago", "kind", "resolve_after", "step"),
    [
        (True, 23.9, None, "rates_held", HALF_HOUR, "keep"),
        (True, 24, None, "rates_held", HALF_HOUR, "remind"),
        (True, 24, None, "wallet_low", HALF_HOUR, "keep"),
        (True, 23.9, 0.1, "rates_held", HALF_HOUR, "return"),
        (True, 24, 0.1, "rates_held", HALF_HOUR, "remind"),
        (False, 48, None, "rates_held", HALF_HOUR, "leave"),
        (False, 48, 0.49, "rates_held", HALF_HOUR, "wait"),
        (False, 48, 0.5, "rates_held", HALF_HOUR, "close"),
        (False, 0, None, "rates_held", timedelta(), "close"),
    ],
)
def test_what_becomes_of_an_open_alert(
    holds: bool,
    told_ago: float,
    gone_ago: float | None,
    kind: str,
    resolve_after: timedelta,
    step: Step,
) -> None:
    found = next_step(
        holds=holds, kind=kind, last_told_at=NOW - timedelta(hours=told_ago), now=NOW,
        gone_at=None if gone_ago is None else NOW - timedelta(hours=gone_ago), repeat=DAY,
        resolve_after=resolve_after,
    )  # fmt: skip
    assert found == step


def test_a_line_stays_one_line_whatever_is_in_it() -> None:
    hostile = "a\nb\r\x1b[2J\u202e\u2028\x9b\x00\ud800é 日"
    assert one_line(hostile) == "a b  [2J     é 日"
