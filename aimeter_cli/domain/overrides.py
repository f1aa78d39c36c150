"""Limit overrides: other limits for one billable, for a time (DESIGN.md, "Metering rules").

They change what is charged for usages that are recorded while they are there; nothing that was
charged before is taken back.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from aimeter_cli.domain.quota import Terms

OverrideStatus = Literal["scheduled", "running", "ended"]


@dataclass(frozen=True, slots=True)
class Override:
    """Limits of usages that occur in ``[starts_at, ends_at)``; cost in nanos, plan's currency.

    A limit of None is the plan's, unless it is lifted.
    """

    starts_at: datetime
    ends_at: datetime
    token_limit: int | None = None
    cost_limit: int | None = None
    request_limit: int | None = None
    lifts_tokens: bool = False
    lifts_cost: bool = False
    lifts_requests: bool = False

    def __contains__(self, moment: datetime) -> bool:
        return self.starts_at <= moment < self.ends_at

    def applied(self, terms: Terms) -> Terms:
        """``terms`` with these limits; prices and behaviour stay."""
        return replace(
            terms,
            token_limit=_limit(terms.token_limit, self.token_limit, self.lifts_tokens),
            cost_limit=_limit(terms.cost_limit, self.cost_limit, self.lifts_cost),
            request_limit=_limit(terms.request_limit, self.request_limit, self.lifts_requests),
        )


def override_at(overrides: Iterable[Override], moment: datetime) -> Override | None:
    """The one that holds at ``moment``: those of a billable do not overlap."""
    return next((override for override in overrides if moment in override), None)


def override_status(starts_at: datetime, ends_at: datetime, now: datetime) -> OverrideStatus:
    if ends_at <= now:
        return "ended"
    return "running" if starts_at <= now else "scheduled"


def _limit(usual: int | None, instead: int | None, lifts: bool) -> int | None:
    if lifts:
        return None
    return usual if instead is None else instead
