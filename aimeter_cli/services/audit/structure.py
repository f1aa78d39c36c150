"""What stands where: overages agree with their item, and what was carried has arrived."""

from __future__ import annotations

from collections.abc import Iterator

from sqlmodel import Session

from aimeter_cli.repositories import audit as repo
from aimeter_cli.services.audit.difference import Difference


def statuses(session: Session, billable_id: int | None) -> Iterator[Difference]:
    """No overage passes for synced that no item confirmed, and none is stuck."""
    for row in repo.misplaced_overages(session, billable_id):
        told = f"on item {row['item_id']}: it {row['problem'].format_map(row)}"
        yield Difference(
            "statuses", row["billable"], f"overage {row['id']}", told,
            f"aimeter overages explain {row['id']}",
        )  # fmt: skip
    for row in repo.external_of_ours(session, billable_id):
        told = f"charged by hand with {row['external_item_id']}, which is our item {row['item_id']}"
        yield Difference(
            "statuses", row["billable"], f"overage {row['id']}", told,
            f"aimeter overages explain {row['id']}",
        )  # fmt: skip


def carry(session: Session, billable_id: int | None) -> Iterator[Difference]:
    """The rest of a closed item went into one item of the same billable and currency."""
    for row in repo.dangling_carry(session, billable_id):
        told = f"its rest {row['problem']} (item {row['carried_to_id']})"
        yield Difference(
            "carry", row["billable"], f"item {row['id']}", told,
            f"aimeter audit --billable {row['billable']}",
        )  # fmt: skip
