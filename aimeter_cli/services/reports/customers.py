"""Who owes how much beyond the plans, and how far each has come to an invoice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from sqlalchemy import RowMapping
from sqlmodel import Session

from aimeter_cli.domain.references import BillableRef
from aimeter_cli.models.overages import STATUSES
from aimeter_cli.repositories import overage_sums as repo


@dataclass(frozen=True, slots=True)
class StatusSum:
    """Overages of one status and currency."""

    status: str
    currency: str
    count: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Customer:
    """A billable's overages in one currency, the plan's.

    ``by_status``: amounts, in the order of the statuses. ``others``: how many smaller customers it
    is the sum of; then it has no name and no items.
    """

    billable_id: int | None
    billable: str | None
    name: str | None
    currency: str
    count: int
    amount: Decimal
    by_status: Mapping[str, Decimal]
    stripe_item_ids: Sequence[str] = ()
    others: int = 0


@dataclass(frozen=True, slots=True)
class CustomerSums:
    """Of each currency the customers who owe most, and the sums of all by status."""

    customers: list[Customer]
    by_status: list[StatusSum]


def customer_sums(session: Session, wanted: repo.Touching, limit: int) -> CustomerSums:
    """``limit``: of each currency at most so many customers; the others are one row."""
    found = list(repo.overage_sums(session, wanted))
    customers = _ranked(_customers(found), limit)
    shown = sorted({each.billable_id for each in customers if each.billable_id is not None})
    items: dict[tuple[int, str], list[str]] = defaultdict(list)
    for billable_id, currency, item in repo.stripe_items(session, wanted, shown):
        items[billable_id, currency].append(item)
    named = [
        replace(each, stripe_item_ids=items[each.billable_id, each.currency])
        if each.billable_id is not None
        else each
        for each in customers
    ]
    return CustomerSums(named, _by_status(found))


def _customers(found: Iterable[RowMapping]) -> list[Customer]:
    groups: dict[tuple[str, int], list[RowMapping]] = defaultdict(list)
    for row in found:
        groups[row["currency"], row["billable_id"]].append(row)
    return [
        Customer(
            billable_id=billable_id,
            billable=str(BillableRef(rows[0]["type"], rows[0]["external_id"])),
            name=rows[0]["name"],
            currency=currency,
            count=sum(row["count"] for row in rows),
            amount=sum((row["amount"] for row in rows), Decimal(0)),
            by_status=_added((row["status"], row["amount"]) for row in rows),
        )
        for (currency, billable_id), rows in groups.items()
    ]


def _ranked(customers: Iterable[Customer], limit: int) -> list[Customer]:
    """By currency, the largest first."""
    groups: dict[str, list[Customer]] = defaultdict(list)
    for each in sorted(customers, key=lambda one: (one.currency, -one.amount, one.billable)):
        groups[each.currency].append(each)
    ranked: list[Customer] = []
    for group in groups.values():
        ranked += group[:limit]
        if len(group) > limit:
            ranked.append(_others(group[limit:]))
    return ranked


def _others(customers: Sequence[Customer]) -> Customer:
    return replace(
        customers[0],
        billable_id=None,
        billable=None,
        name=None,
        count=sum(each.count for each in customers),
        amount=sum((each.amount for each in customers), Decimal(0)),
        by_status=_added(pair for each in customers for pair in each.by_status.items()),
        others=len(customers),
    )


def _added(amounts: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    """By status, in the order of the statuses."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for status, amount in amounts:
        sums[status] += amount
    return {status: sums[status] for status in STATUSES if status in sums}


def _by_status(found: Iterable[RowMapping]) -> list[StatusSum]:
    sums: dict[tuple[str, str], StatusSum] = {}
    for row in found:
        key = row["currency"], row["status"]
        mine = sums.get(key) or StatusSum(row["status"], row["currency"], 0, Decimal(0))
        sums[key] = replace(
            mine, count=mine.count + row["count"], amount=mine.amount + row["amount"]
        )
    return sorted(sums.values(), key=lambda each: (each.currency, STATUSES.index(each.status)))
