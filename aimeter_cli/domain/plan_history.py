"""Which plan a subscription was on at which time, rewritten where a change is made or learnt of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from aimeter_cli.domain.periods import iso
from aimeter_cli.domain.subscription import PlanFacts, last_plan, plans_before


class PlanSpan(NamedTuple):
    """The plan that holds from the end of the span before; ``until`` None: for good."""

    plan_id: int
    until: datetime | None


def plan_spans(facts: PlanFacts) -> list[PlanSpan]:
    """Every plan, oldest first, those that are to come included."""
    return [*(PlanSpan(*each) for each in plans_before(facts)), PlanSpan(last_plan(facts), None)]


def with_plan(
    spans: Sequence[PlanSpan], plan_id: int, since: datetime, until: datetime | None = None
) -> list[PlanSpan]:
    """``spans`` with this plan in ``[since, until)``; None: for good, no other is to come."""
    changed = [each for each in spans if each.until is not None and each.until <= since]
    changed += [PlanSpan(spans[len(changed)].plan_id, since), PlanSpan(plan_id, until)]
    if until is not None:
        changed += [each for each in spans if each.until is None or each.until > until]
    return _joined(changed)


def last_change(spans: Sequence[PlanSpan]) -> dict[str, Any]:
    """The columns of a subscription whose latest change is told by columns of its own."""
    if len(spans) == 1:
        return all_past(spans)
    *before, (plan_id, changes_at), (next_plan_id, _) = spans
    return {
        "plan_id": plan_id,
        "next_plan_id": next_plan_id,
        "plan_changes_at": changes_at,
        "plan_history": _history(before),
    }


def all_past(spans: Sequence[PlanSpan]) -> dict[str, Any]:
    """The columns of a subscription whose changes have all come and been told."""
    return {
        "plan_id": spans[-1].plan_id,
        "next_plan_id": None,
        "plan_changes_at": None,
        "plan_history": _history(spans[:-1]),
    }


def _joined(spans: Sequence[PlanSpan]) -> list[PlanSpan]:
    """Without empty ones, and without changes to the same plan."""
    joined: list[PlanSpan] = []
    for each in spans:
        if joined and joined[-1].until == each.until:
            continue
        if joined and joined[-1].plan_id == each.plan_id:
            joined.pop()
        joined.append(each)
    return joined


def _history(spans: Sequence[PlanSpan]) -> list[Mapping[str, Any]]:
    return [
        {"plan_id": each.plan_id, "until": iso(each.until)}
        for each in spans
        if each.until is not None
    ]
