"""What a Stripe subscription's state means for ours: column by column, without its plan.

Source: STRIPE.md, "Webhooks". Every event carries the whole state, so the newest event alone
decides, and events that came late or never leave no gap.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from aimeter_cli.domain.periods import Period
from aimeter_cli.domain.stripe_payloads import StripeSubscription


def ended_for_good(*, is_live: bool, ends_at: datetime | None, expired_at: datetime | None) -> bool:
    """Whether the subscription was ended, by Stripe or here, and can never come back.

    An expired one can: a payment reactivates it. One whose end has merely passed is still live
    until it is closed; Stripe may yet tell that it goes on.
    """
    return ends_at is not None and not is_live and expired_at is None


def state_columns(
    stripe: StripeSubscription,
    *,
    at: datetime,
    started_at: datetime,
    our_prices: Collection[str],
) -> dict[str, Any]:
    """The columns of ``ai_subscriptions`` that follow Stripe's state, told at ``at``.

    What the payload does not tell is left out. ``started_at`` is never among them.
    """
    period = stripe.period(our_prices)
    end = end_of(stripe, period, at)
    columns: dict[str, Any] = {
        "is_incomplete": stripe.status == "incomplete",
        "ends_at": max(end, started_at) if end is not None else None,
    }
    if stripe.is_terminal:
        columns["is_live"] = False
    if period is not None:
        columns |= {
            "current_period_start": period.start,
            "current_period_end": period.end,
            "renews_at": period.end,
        }
    if stripe.anchor is not None:
        columns["period_anchor"] = stripe.anchor
    if stripe.trial_end is not None:
        columns["trial_ends_at"] = stripe.trial_end
    return columns


def end_of(stripe: StripeSubscription, period: Period | None, at: datetime) -> datetime | None:
    """When access ends, None if it goes on.

    ``canceled_at`` under ``cancel_at_period_end`` is the day the customer asked, not the end.
    """
    if stripe.is_terminal:
        return stripe.ended_at or stripe.canceled_at or at
    if stripe.cancel_at_period_end or stripe.cancel_at is not None:
        return stripe.ended_at or stripe.cancel_at or (period.end if period else None)
    return None
