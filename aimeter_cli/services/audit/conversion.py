"""From the plan's currency to the customer's: the amount at the rate that is pinned beside it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

from sqlmodel import Session

from aimeter_cli.domain.money import quantise
from aimeter_cli.repositories import audit as repo
from aimeter_cli.services.audit.difference import Difference

PINNED_DIGITS = 18
"""A pinned rate of so many digits was cut; the one that was applied lies around it."""


def conversions(session: Session, billable_id: int | None) -> Iterator[Difference]:
    """What an overage charges is its amount, converted at its pinned rate, to the nano."""
    for row in repo.converted(session, billable_id):
        record, hint = f"overage {row['id']}", f"aimeter overages explain {row['id']}"
        if row["charge_currency"] is None or (
            row["charge_currency"] != row["currency"] and row["exchange_rate"] is None
        ):
            told = "it was converted, and no rate is pinned"
            yield Difference("conversions", row["billable"], record, told, hint)
            continue
        rate = Decimal(row["exchange_rate"] or 1)
        least, most = amounts_at(row["amount"], rate)
        if not least <= row["charge_amount"] <= most:
            yield Difference.of_money(
                "conversions", row["billable"], record,
                ("its amount at the pinned rate is", "it charges"), (least, row["charge_amount"]),
                row["charge_currency"], hint,
            )  # fmt: skip


def amounts_at(nanos: int, rate: Decimal) -> tuple[int, int]:
    """The least and the most that ``nanos`` may come to: the same, but for a rate that was cut."""
    half_a_digit = Fraction(0)
    if len(rate.as_tuple().digits) >= PINNED_DIGITS:
        half_a_digit = Fraction(5, 10) * Fraction(10) ** int(rate.as_tuple().exponent)
    ends = (quantise(nanos * (Fraction(rate) + side * half_a_digit)) for side in (-1, 1))
    least, most = sorted(ends)
    return least, most
