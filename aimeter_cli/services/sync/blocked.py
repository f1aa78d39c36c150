"""Why some overages cannot be sent, in groups that an operator can act on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlmodel import Session

from aimeter_cli.domain.rates import how_to_get_rate
from aimeter_cli.repositories.blocked import BlockedGroup, BlockedRow, blocked_groups
from aimeter_cli.services.sync.settle import CHANGED, DELETED

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Blocked:
    """Overages that cannot be selected, by reason; the first few of them by name."""

    reason: str
    count: int
    billables: tuple[str, ...]
    overages: tuple[int, ...]
    hint: str
    detail: str | None = None


HINTS: dict[str, Callable[[BlockedRow], str]] = {
    "no_customer": lambda row: (
        f"aimeter subscriptions set-stripe-ids {row.billable} --customer cus_…"
    ),
    "needs_rate": lambda row: how_to_get_rate(row.currency, row.billed_in or "CURRENCY"),
    "held": lambda row: (
        f"aimeter overages release {row.overage_id} charges it, "
        f"aimeter overages waive {row.overage_id} gives it up"
    ),
    "failed": lambda row: f"mend the cause, then aimeter overages retry {row.overage_id}",
    "item_failed": lambda row: (
        f"mend the cause, then aimeter overages retry --all; see also "
        f"aimeter overages list --billable {row.billable}"
    ),
    "invoice_failed": lambda row: (
        f"the final invoice of an ended subscription: mend the cause, then "
        f"aimeter overages retry {row.overage_id}"
    ),
    "invoice_held": lambda row: (
        f"a person deleted the final invoice: aimeter overages release {row.overage_id} makes it "
        "anew"
    ),
    "item_held": lambda row: f"aimeter overages release {row.overage_id} goes on with the item",
}
_BY_PERSONS: dict[str | None, Callable[[BlockedRow], str]] = {
    CHANGED: lambda row: (
        f"a person changed the item at Stripe: aimeter overages release {row.overage_id} puts "
        "our amount there again"
    ),
    DELETED: lambda row: (
        f"a person deleted the item at Stripe: aimeter overages release {row.overage_id} charges "
        f"it anew, aimeter overages waive {row.overage_id} gives it up"
    ),
}
"""For the held ones, by what is known."""


def blocked(session: Session, billable_id: int | None = None) -> list[Blocked]:
    """Each reason with its count, its first billables and what to type for the first of them."""
    return [
        Blocked(
            group.kind,
            group.number,
            tuple(dict.fromkeys(row.billable for row in group.rows)),
            tuple(row.overage_id for row in group.rows),
            _hint(group),
            group.detail,
        )
        for group in blocked_groups(session, billable_id, _SHOWN)
    ]


def _hint(group: BlockedGroup) -> str:
    by_person = _BY_PERSONS.get(group.detail) if group.kind in ("held", "item_held") else None
    row = group.rows[0]
    hint = (by_person or HINTS[group.kind])(row)
    if row.customer is None and group.kind != "no_customer":
        return f"{HINTS['no_customer'](row)}; then {hint}"
    return hint
