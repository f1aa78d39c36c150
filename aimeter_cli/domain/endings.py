"""What becomes of overage that is pending when its subscription ends. Pure.

Source: DESIGN.md, "Overage → Stripe": ``on_subscription_end``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Protocol

from aimeter_cli.domain.subscription import Facts, status

Ending = Literal["invoice", "keep", "waive", "hold"]
UNPAID_REASONS = ("payment_failed", "payment_disputed")
"""Stripe's ``cancellation_details.reason`` where the customer did not pay."""


class EndedFacts(Facts, Protocol):
    """A subscription's life, with Stripe's reason for its end."""

    @property
    def cancellation_reason(self) -> str | None: ...


def ended_at(facts: Facts, now: datetime) -> datetime:
    """When it ended, of a subscription that is over at ``now``: the first of what ended it."""
    ends = (facts.ends_at, facts.expired_at, facts.grace_period_ends_at)
    return min(end for end in ends if end is not None and end <= now)


def ending(facts: EndedFacts, now: datetime, policy: str) -> Ending | None:
    """What to do with what is pending; None: the subscription is not over.

    Who did not pay is not sent another invoice: that is held for an operator, whatever the policy.
    """
    state = status(facts, now)
    if state not in ("canceled", "expired"):
        return None
    if state == "expired" or facts.cancellation_reason in UNPAID_REASONS:
        return "hold"
    return policy if policy in ("keep", "waive") else "invoice"  # type: ignore[return-value]
