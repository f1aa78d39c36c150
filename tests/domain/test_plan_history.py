"""Plans in time: what is written in any order reads as what was true."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from aimeter_cli.domain.plan_history import (
    PlanSpan,
    all_past,
    last_change,
    plan_spans,
    with_plan,
)
from aimeter_cli.domain.subscription import PlanChange, is_history, plan_at

HUGE, PRO, MID = 1, 2, 3


def day(number: int) -> datetime:
    return datetime(2026, 11, number, tzinfo=UTC)


SPANS = [PlanSpan(HUGE, day(5)), PlanSpan(PRO, day(10)), PlanSpan(MID, None)]
TICK = timedelta(microseconds=1)


@pytest.mark.parametrize("columns", [last_change, all_past])
def test_each_plan_holds_from_its_change_to_the_next(columns: Any) -> None:
    facts = PlanChange(**columns(SPANS))
    moments = (day(1), day(5) - TICK, day(5), day(10) - TICK, day(10), day(30))
    assert [plan_at(facts, each) for each in moments] == [HUGE, HUGE, PRO, PRO, MID, MID]
    assert plan_spans(facts) == SPANS


def test_a_change_keeps_its_microseconds() -> None:
    spans = [PlanSpan(PRO, day(5) + TICK), PlanSpan(MID, None)]
    assert plan_spans(PlanChange(**all_past(spans))) == spans


def test_history_alone_knows_what_was_before_the_change_before_the_last() -> None:
    facts = PlanChange(**last_change(SPANS))
    assert [is_history(facts, each) for each in (day(5) - TICK, day(5))] == [True, False]
    assert not is_history(PlanChange(**last_change(SPANS[1:])), day(1))


@pytest.mark.parametrize(
    ("plan", "since", "until", "expected"),
    [
        (PRO, day(12), None, [*SPANS[:2], PlanSpan(MID, day(12)), PlanSpan(PRO, None)]),
        (PRO, day(7), None, [SPANS[0], PlanSpan(PRO, None)]),
        (HUGE, day(2), None, [PlanSpan(HUGE, None)]),
        (MID, day(5), None, [SPANS[0], PlanSpan(MID, None)]),
        (MID, day(5), day(7), [SPANS[0], PlanSpan(MID, day(7)), *SPANS[1:]]),
        (HUGE, day(5), day(10), [PlanSpan(HUGE, day(10)), SPANS[2]]),
        (MID, day(7), day(10), [SPANS[0], PlanSpan(PRO, day(7)), SPANS[2]]),
        (PRO, day(12), day(14), [
            *SPANS[:2], PlanSpan(MID, day(12)), PlanSpan(PRO, day(14)), SPANS[2],
        ]),
    ],
)  # fmt: skip
def test_a_plan_takes_its_time_and_leaves_the_rest(
    plan: int, since: datetime, until: datetime | None, expected: list[PlanSpan]
) -> None:
    assert with_plan(SPANS, plan, since, until) == expected


def test_spans_set_in_any_order_read_the_same() -> None:
    told = [(PRO, day(5), day(10)), (MID, day(10), day(15)), (HUGE, day(15), day(20))]
    results = set()
    for order in permutations(told):
        spans = [PlanSpan(HUGE, None)]
        for each in order:
            spans = with_plan(spans, *each)
        results.add(tuple(spans))
    assert results == {(*SPANS[:2], PlanSpan(MID, day(15)), PlanSpan(HUGE, None))}
