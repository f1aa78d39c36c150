"""The period that a subscription's usage is metered in: Stripe's where it is known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from aimeter_cli.domain.periods import Period, PeriodRule


@dataclass(frozen=True, slots=True)
class PeriodFacts:
    """``current_*`` is Stripe's period, or the first one where its end was given."""

    anchor: datetime
    started_at: datetime
    current_start: datetime | None
    current_end: datetime | None


def metering_period(rule: PeriodRule, facts: PeriodFacts, moment: datetime) -> Period:
    """The period that holds ``moment``.

    An anchored one never begins before the subscription does, nor overlaps Stripe's.
    """
    period = rule.period_at(moment, facts.anchor)
    if rule.alignment == "calendar":
        return period
    start, end = facts.current_start, facts.current_end
    if start is not None and end is not None:
        if start <= moment < end:
            return Period(start, end)
        if moment < start:
            period = Period(period.start, min(period.end, start))
        else:
            period = Period(max(period.start, end), period.end)
    return Period(max(period.start, min(facts.started_at, moment)), period.end)
