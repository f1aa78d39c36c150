"""What an audit found: one difference."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from aimeter_cli.domain.money import Money, from_nanos


@dataclass(frozen=True, slots=True)
class Difference:
    """``record`` names a row, such as ``overage 17``; ``hint`` is what to type.

    ``expected``, ``found`` and ``difference`` (found − expected) are in ``currency``; all None
    where it is not money that differs.
    """

    check: str
    billable: str
    record: str
    detail: str
    hint: str
    expected: Decimal | None = None
    found: Decimal | None = None
    currency: str | None = None

    @property
    def difference(self) -> Decimal | None:
        if self.expected is None or self.found is None:
            return None
        return self.found - self.expected

    @classmethod
    def of_money(
        cls,
        check: str,
        billable: str,
        record: str,
        told: tuple[str, str],
        nanos: tuple[int, int],
        currency: str,
        hint: str,
    ) -> Difference:
        """``told`` says whose the expected and the found ``nanos`` are."""
        expected, found = (Money.of_nanos(each, currency) for each in nanos)
        detail = f"{told[0]} {expected}, {told[1]} {found}"
        return cls(
            check, billable, record, detail, hint,
            from_nanos(nanos[0]), from_nanos(nanos[1]), currency,
        )  # fmt: skip
