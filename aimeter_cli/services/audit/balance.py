"""The grand balance: where all of what was charged has gone, by billable and currency.

Σ overages = Σ items × minor unit + carry + unsent + in flight + held + waived + external + what a
person set otherwise. Source: DESIGN.md, "Money".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import RowMapping
from sqlmodel import Session

from aimeter_cli.domain.money import from_nanos, minor_to_nanos
from aimeter_cli.repositories import audit as repo
from aimeter_cli.services.audit.difference import Difference
from aimeter_cli.services.audit.items import is_set_by_a_person, is_unsettled, whole_minor
from aimeter_cli.services.sync.settle import DELETED

PLACES = (
    "items", "carry", "unsent", "in_flight", "held", "waived", "external", "by_person",
)  # fmt: skip
Account = tuple[str, str]
"""(billable, currency)."""


@dataclass(frozen=True, slots=True)
class Balance:
    """What one billable, or all, were charged in a currency, and where it is.

    ``items``: whole minor units that Stripe has; ``carry``: fractions that wait for a next item;
    ``unsent``: on no item yet, an amount that was not converted in the plan's currency; ``held``
    waits for a person; ``external``: charged by hand; ``by_person``: missing from, or too much on,
    invoices whose amount a person set.
    """

    billable: str
    currency: str
    overages: Decimal
    items: Decimal
    carry: Decimal
    unsent: Decimal
    in_flight: Decimal
    held: Decimal
    waived: Decimal
    external: Decimal
    by_person: Decimal

    @classmethod
    def of(cls, billable: str, currency: str, nanos: Mapping[str, int]) -> Balance:
        return cls(
            billable, currency, **{name: from_nanos(nanos[name]) for name in ("overages", *PLACES)}
        )

    @property
    def placed(self) -> Decimal:
        """What was found again."""
        places: Iterable[Decimal] = (getattr(self, name) for name in PLACES)
        return sum(places, Decimal(0))

    @property
    def difference(self) -> Decimal:
        """0 unless something was lost or doubled."""
        return self.overages - self.placed


def balances(session: Session, billable_id: int | None) -> list[Balance]:
    """One for each billable and currency."""
    books: dict[Account, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in repo.overages_by_place(session, billable_id):
        account = books[row["billable"], row["currency"]]
        account["overages"] += row["nanos"]
        if row["place"] != "item":
            account[row["place"]] += row["nanos"]
    for row in repo.items(session, billable_id):
        account = books[row["billable"], row["currency"]]
        for place, nanos in _places(row).items():
            account[place] += nanos
    return [Balance.of(*account, nanos) for account, nanos in sorted(books.items())]


def totals(found: Sequence[Balance], name: str = "all") -> list[Balance]:
    """All of them added up, one for each currency."""
    currencies = sorted({each.currency for each in found})
    return [_sum(name, code, [each for each in found if each.currency == code])
            for code in currencies]  # fmt: skip


def differences(found: Iterable[Balance]) -> Iterator[Difference]:
    """Those that do not balance."""
    for each in found:
        if each.difference:
            told = "more than was found again" if each.difference > 0 else "less than was found"
            yield Difference(
                "balance", each.billable, f"balance in {each.currency}",
                f"the overages are {told}", f"aimeter audit --billable {each.billable}",
                each.overages, each.placed, each.currency,
            )  # fmt: skip


def _sum(name: str, currency: str, parts: Sequence[Balance]) -> Balance:
    def added(column: str) -> Decimal:
        values: Iterable[Decimal] = (getattr(part, column) for part in parts)
        return sum(values, Decimal(0))

    return Balance(name, currency, *(added(column) for column in ("overages", *PLACES)))


def _places(row: RowMapping) -> dict[str, int]:
    """What an item stands for, by where that is. Nanos.

    What is confirmed, on its way or carried is what was written down, so that a number which is
    wrong leaves a difference; only what waits for somebody is what remains.
    """
    currency, total = row["currency"], row["total"]
    if row["status"] == "closed":
        final = minor_to_nanos(row["final_minor"], currency)
        if is_set_by_a_person(row):
            return {"items": final, "by_person": total - final}
        return {"items": final, "carry": 0 if row["carried_to_id"] else row["carry_out"]}
    confirmed = minor_to_nanos(row["confirmed_minor"], currency)
    if row["status"] == "held":
        confirmed = 0 if row["reason"] == DELETED else confirmed
        return {"items": confirmed, "held": total - confirmed}
    if row["is_dirty"]:
        return {"items": confirmed, "in_flight": total - confirmed}
    rest = total - minor_to_nanos(whole_minor(row), currency)
    going = minor_to_nanos(row["target_minor"], currency) - confirmed if is_unsettled(row) else 0
    return {"items": confirmed, "in_flight": going, "carry": rest}
