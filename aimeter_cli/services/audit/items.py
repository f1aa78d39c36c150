"""From overages to invoice items: each stands for what its overages come to, rounded down once."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import RowMapping
from sqlmodel import Session

from aimeter_cli.domain.currency import minor_unit
from aimeter_cli.domain.money import floor_to_minor, minor_to_nanos
from aimeter_cli.repositories import audit as repo
from aimeter_cli.services.audit.difference import Difference
from aimeter_cli.services.sync.restored import RESTORED
from aimeter_cli.services.sync.settle import CHANGED

IN_FLIGHT = ("sending", "unknown", "failed")


def whole_minor(row: RowMapping) -> int:
    """What an item's amount has to be, in minor units: never below 0."""
    return max(0, floor_to_minor(row["total"], row["currency"]))


def is_set_by_a_person(row: RowMapping) -> bool:
    """Closed at an amount that we never set: the difference is that person's."""
    return (row["status"], row["reason"]) == ("closed", CHANGED)


def is_unsettled(row: RowMapping) -> bool:
    """Whether the next sync still has to do something with it."""
    return row["status"] in IN_FLIGHT or (row["status"] != "closed" and bool(row["is_dirty"]))


def hint_of(row: RowMapping) -> str:
    """What to type: an overage of the item tells all of it."""
    if row["overage_id"] is not None:
        return f"aimeter overages explain {row['overage_id']}"
    return f"aimeter overages list --billable {row['billable']}"


def items(session: Session, billable_id: int | None) -> Iterator[Difference]:
    """The amount of an item is that of its overages and of what was carried into it.

    One that waits for the next sync (``is_dirty``), or that a person holds up, has no amount yet.
    """
    for row in repo.items(session, billable_id):
        if is_set_by_a_person(row):
            told = "a person set its amount, so that it may carry"
            yield from _unequal(row, told, 0, row["carry_out"], "it carries")
        elif row["status"] == "closed":
            yield from _closed(row)
        elif row["is_dirty"] or row["status"] == "held":
            continue
        else:
            settled = row["status"] == "idle"
            minor = row["confirmed_minor"] if settled else row["target_minor"]
            told = "and Stripe confirmed" if settled else "and what is being sent is"
            expected = minor_to_nanos(whole_minor(row), row["currency"])
            found = minor_to_nanos(minor, row["currency"])
            yield from _unequal(row, "its overages come to whole", expected, found, told)


def attempts(session: Session, billable_id: int | None) -> Iterator[Difference]:
    """What Stripe confirmed is what an attempt of ours has set, if a backup did not lose it."""
    for row in repo.items(session, billable_id):
        if row["confirmed_version"] == 0:
            known = row["confirmed_minor"] == 0
        else:
            known = row["was_sent"] or row["is_stale"] or row["reason"] == RESTORED
        if not known:
            told = f"no attempt has set the {row['confirmed_minor']:,} minor units it confirmed"
            yield Difference("attempts", row["billable"], f"item {row['id']}", told, hint_of(row))


def _closed(row: RowMapping) -> Iterator[Difference]:
    final = minor_to_nanos(row["final_minor"], row["currency"])
    told = "its final amount and its rest to"
    found = final + row["carry_out"]
    yield from _unequal(row, "its overages come to", row["total"], found, told)
    rest, step = row["carry_out"], minor_unit(row["currency"]).step_nanos
    usual = 0 <= rest < step or (final == 0 and rest < 0)
    if row["reason"] is None and not usual:
        yield from _unequal(row, "without a reason it may leave less than", step, rest, "it leaves")


def _unequal(
    row: RowMapping, expects: str, expected: int, found: int, finds: str
) -> Iterator[Difference]:
    if expected != found:
        yield Difference.of_money(
            "items", row["billable"], f"item {row['id']}", (expects, finds),
            (expected, found), row["currency"], hint_of(row),
        )  # fmt: skip
