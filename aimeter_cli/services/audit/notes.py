"""What is no difference, and should be known beside one: what waits, and what a person decided."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from sqlalchemy import RowMapping
from sqlmodel import Session

from aimeter_cli.domain.money import Money, minor_to_nanos
from aimeter_cli.repositories import audit as repo
from aimeter_cli.services.audit.items import hint_of, is_set_by_a_person, is_unsettled
from aimeter_cli.services.audit.lost import Lost

_SHOWN = 5


def notes(session: Session, billable_id: int | None) -> Iterator[str]:
    """Items that wait for the next sync or for a person, and what a person set at closing."""
    waiting: dict[str, list[str]] = defaultdict(list)
    for row in repo.items(session, billable_id):
        if is_set_by_a_person(row):
            yield _set_by_a_person(row)
        elif row["status"] in ("failed", "held"):
            waiting[row["status"]].append(f"item {row['id']}")
        elif is_unsettled(row):
            waiting["not settled yet"].append(f"item {row['id']}")
    hints = {"not settled yet": "aimeter sync-stripe-overages"}
    for what, records in sorted(waiting.items()):
        hint = hints.get(what, f"aimeter overages list --status {what}")
        yield f"{len(records)} item(s) {what}: {named(records)}; {hint}"


def lost_notes(lost: Sequence[Lost]) -> Iterator[str]:
    """How much is on invoices that nobody pays, by their status and currency."""
    groups: dict[tuple[str, str], list[Lost]] = defaultdict(list)
    for each in lost:
        groups[each.invoice_status, each.currency].append(each)
    for (status, currency), rows in sorted(groups.items()):
        total = Money(sum((row.amount for row in rows), Decimal(0)), currency)
        records = named(f"item {row.item_id} of {row.billable}" for row in rows)
        yield (
            f"{total} is on {status} invoices: {records}; nothing charges it again by itself: "
            "what the customer still owes is for a new invoice at Stripe"
        )


def named(records: Iterable[str]) -> str:
    """The first few, and how many more."""
    listed = list(records)
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more


def _set_by_a_person(row: RowMapping) -> str:
    final = Money.of_nanos(minor_to_nanos(row["final_minor"], row["currency"]), row["currency"])
    own = Money.of_nanos(row["total"], row["currency"])
    return (
        f"item {row['id']} of {row['billable']} was closed at {final}, set by a person at Stripe; "
        f"its overages come to {own}; {hint_of(row)}"
    )
