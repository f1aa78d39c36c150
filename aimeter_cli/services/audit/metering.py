"""From usages to counters and overages: every total recomputed, every charge priced again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from sqlalchemy import RowMapping
from sqlmodel import Session

from aimeter_cli.domain.money import quantise_ratio
from aimeter_cli.domain.quota import Terms, Totals, charge
from aimeter_cli.repositories import audit as repo
from aimeter_cli.services.audit.difference import Difference

MONEY_TOTALS = ("cost", "excess_token_cost", "excess_request_cost")


def overages(session: Session, billable_id: int | None) -> Iterator[Difference]:
    """An overage is the sum of the charges of its usages."""
    for row in repo.unequal_overages(session, billable_id):
        yield Difference.of_money(
            "overages", row["billable"], f"overage {row['id']}",
            ("its usages charge", "it amounts to"), (row["expected"], row["found"]),
            row["currency"], f"aimeter overages explain {row['id']}",
        )  # fmt: skip


def charges(session: Session, billable_id: int | None) -> Iterator[Difference]:
    """A usage that charges has an overage, of its own counter."""
    for row in repo.stray_charges(session, billable_id):
        record, currency = f"{row['record']} {row['id']}", row["currency"]
        if row["overage_id"] is None:
            yield Difference.of_money(
                "charges", row["billable"], record,
                ("without an overage it may charge", "it charges"), (0, row["charge"]), currency,
                f"aimeter audit --billable {row['billable']}",
            )  # fmt: skip
        else:
            told = f"it belongs to overage {row['overage_id']}, which is not of its counter"
            hint = f"aimeter overages explain {row['overage_id']}"
            yield Difference("charges", row["billable"], record, told, hint)


def counters(session: Session, billable_id: int | None) -> Iterator[Difference]:
    """A counter is the sum of its usages, and they charge what its terms make of that sum."""
    for row in repo.counters(session, billable_id):
        terms, totals = _terms(row), _totals(row)
        yield from _differing(row, totals._asdict())
        due = charge(terms, totals) if terms.behavior == "charge" else 0
        if due != row["charged"]:
            yield Difference.of_money(
                "charges", row["billable"], f"counter {row['id']}",
                ("its terms make of its usages", "they charge"), (due, row["charged"]),
                row["currency"], f"aimeter overages list --billable {row['billable']}",
            )  # fmt: skip


def adjusted(session: Session, billable_id: int | None) -> Iterator[Difference]:
    """A counter of usages that were repriced, pruned or counted under other limits is their sum,
    and their charges are its overages'."""
    for row in repo.adjusted_counters(session, billable_id):
        expected = {name: row[f"used_{name}"] for name in ("tokens", "requests", "cost")}
        yield from _differing(row, expected)
        if row["charged"] != row["overages"]:
            yield Difference.of_money(
                "charges", row["billable"], f"counter {row['id']}",
                ("its usages charge", "its overages come to"), (row["charged"], row["overages"]),
                row["currency"], f"aimeter overages list --billable {row['billable']}",
            )  # fmt: skip


def adjustments(session: Session, billable_id: int | None) -> Iterator[Difference]:
    """What was priced later has one adjustment, which tells its cost."""
    for row in repo.amiss_usages(session, billable_id):
        detail = row["problem"].format_map(row)
        hint = f"aimeter usage list --billable {row['billable']}"
        yield Difference("usages", row["billable"], f"usage {row['id']}", detail, hint)


def _differing(row: RowMapping, expected: Mapping[str, int]) -> Iterator[Difference]:
    record, hint = f"counter {row['id']}", f"aimeter usage list --billable {row['billable']}"
    for name, used in expected.items():
        found = row[name]
        if found == used:
            continue
        told = name.replace("_", " ")
        if name in MONEY_TOTALS:
            yield Difference.of_money(
                "counters", row["billable"], record,
                (f"{told}: its usages come to", "it counts"), (used, found),
                row["currency"], hint,
            )  # fmt: skip
        else:
            detail = f"{told}: its usages come to {used:,}, it counts {found:,}"
            yield Difference("counters", row["billable"], record, detail, hint)


def _terms(row: RowMapping) -> Terms:
    return Terms(
        row["token_limit"],
        row["cost_limit"],
        row["request_limit"],
        row["overage_price_per_1k_tokens"],
        Decimal(row["overage_markup"]),
        row["overage_behavior"],
    )


def _totals(row: RowMapping) -> Totals:
    """Of the usages alone; the share of the one that crossed the token limit is rounded once."""
    beyond = row["beyond_tokens"]
    if row["crossing_tokens"]:
        share = row["crossing_cost"] * row["crossing_part"]
        beyond += quantise_ratio(share, row["crossing_tokens"])
    return Totals(
        row["used_tokens"], row["used_requests"], row["used_cost"], beyond, row["beyond_requests"]
    )
