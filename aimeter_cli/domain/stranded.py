"""Pending invoice items that no invoice will take soon, and why. Pure.

Source: STRIPE.md, "Invoice items": a pending item waits for the subscription's next invoice, and a
subscription that has ended, or is paused, makes none.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal, Protocol

from aimeter_cli.domain.subscription import Facts, status

Reason = Literal["subscription_ended", "subscription_paused", "yearly", "not_collected"]
SOON = timedelta(days=35)
_STUCK = ("failed", "held")


class Pending(Facts, Protocol):
    """An item at Stripe with its subscription's facts.

    ``period_end`` is that of the item's service period, ``current_period_end`` Stripe's, if told;
    ``has_held``: some of its overages wait for an operator. ``final_status`` is that of the final
    invoice which takes the item, if there is one.
    """

    @property
    def period_end(self) -> datetime: ...
    @property
    def current_period_end(self) -> datetime | None: ...
    @property
    def item_status(self) -> str: ...
    @property
    def has_held(self) -> bool: ...
    @property
    def final_status(self) -> str | None: ...


def stranded_reason(item: Pending, now: datetime, *, keeps: bool) -> Reason | None:
    """Why no invoice takes the item within 35 days of ``now``; None: one is to be expected.

    ``keeps``: nothing makes a final invoice for ended subscriptions. Otherwise the sync does, as
    long as neither the item nor that invoice waits for a person.
    """
    state = status(item, now)
    if state in ("canceled", "expired"):
        stuck = item.item_status in _STUCK or item.final_status in _STUCK
        if keeps or stuck or item.has_held:
            return "subscription_ended"
    elif state == "paused":
        return "subscription_paused"
    elif _next_invoice(item) > now + SOON:
        return "yearly"
    return "not_collected" if item.period_end <= now - SOON else None


def _next_invoice(item: Pending) -> datetime:
    renewal = item.current_period_end or item.period_end
    return renewal if item.ends_at is None else min(renewal, item.ends_at)
