"""What must be true at the end of each chapter. The sandbox is asked, not aimeter alone."""

from __future__ import annotations

from collections import defaultdict
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from tests.demo.stripe_side import money
from tests.demo.terminal import Failed

_EXPONENT = {"jpy": 0, "usd": 2, "eur": 2}


def check(held: bool, sentence: str) -> None:
    """Raises Failed with the sentence that should hold."""
    if not held:
        raise Failed(f"this should hold, and does not: {sentence}")


def sums_at_stripe(items: list[dict[str, Any]]) -> dict[tuple[str, str], int]:
    """(billable, currency) → minor units on all its items."""
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for item in items:
        sums[item["metadata"]["aimeter_billable"], item["currency"]] += item["amount"]
    return dict(sums)


def sums_of_overages(overages: list[dict[str, Any]]) -> dict[tuple[str, str], int]:
    """(billable, currency) → minor units that its overages come to, rounded down once."""
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for overage in overages:
        sums[overage["billable"], overage["charge_currency"]] += Decimal(overage["charge_amount"])
    return {
        key: int((amount.scaleb(_EXPONENT[key[1]])).to_integral_value(ROUND_FLOOR))
        for key, amount in sums.items()
    }


def check_sums(items: list[dict[str, Any]], overages: list[dict[str, Any]]) -> str:
    """Every cent of the overages is on an item, and no other; returns that in words."""
    there, here = sums_at_stripe(items), sums_of_overages(overages)
    check(there == here, f"the items at Stripe {there} are what the overages come to {here}")
    totals: dict[str, int] = defaultdict(int)
    for (_, currency), minor in there.items():
        totals[currency] += minor
    told = ", ".join(money(minor, currency) for currency, minor in sorted(totals.items()))
    return f"{len(items)} invoice items at Stripe come to {told}: exactly what the overages say."
