"""Which of Stripe's customers and subscriptions a billable has: told or ambiguous, never guessed.

Source: DESIGN.md, "Webhooks"; STRIPE.md, "Webhooks" (what the statuses mean).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from aimeter_cli.domain.stripe_payloads import StripeSubscription

BILLABLE_KEY = "aimeter_billable"
"""The key of a customer's metadata whose value is a billable: ``user:42``."""

ACTIVE = ("active", "trialing", "past_due")
"""Stripe bills it, or is trying to. ``unpaid``, ``paused`` and ``incomplete`` may yet be."""


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Several fit equally well: their ids, newest first."""

    ids: tuple[str, ...]


def is_active(stripe: StripeSubscription) -> bool:
    return stripe.status in ACTIVE


def choose_subscription(
    newest_first: Sequence[StripeSubscription], our_prices: Collection[str]
) -> StripeSubscription | Ambiguous | None:
    """The active one; of several the one with a price of our plan; else the newest that goes on.

    None: all of them have ended, or there is none.
    """
    active = [each for each in newest_first if is_active(each)]
    if len(active) > 1:
        fitting = [each for each in active if set(each.prices) & set(our_prices)]
        active = fitting or active
    if len(active) > 1:
        return Ambiguous(tuple(each.id for each in active))
    going_on = active or [each for each in newest_first if not each.is_terminal]
    return going_on[0] if going_on else None


def named_billable(metadata: Any) -> str | None:
    """The billable that a customer's metadata names."""
    value = metadata.get(BILLABLE_KEY) if isinstance(metadata, dict) else None
    return value if isinstance(value, str) and value else None
