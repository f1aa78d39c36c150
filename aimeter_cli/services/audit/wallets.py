"""Prepaid credits: a wallet is the sum of its ledger, and pays each usage once."""

from __future__ import annotations

from collections.abc import Iterator

from sqlmodel import Session

from aimeter_cli.repositories import audit_credits as repo
from aimeter_cli.services.audit.difference import Difference

_CHECK = "wallets"


def wallets(session: Session, billable_id: int | None) -> Iterator[Difference]:
    """A balance is the sum of the ledger, and what is left of the grants less the debt."""
    for row in repo.unequal_wallets(session, billable_id):
        record, hint = f"wallet {row['id']}", f"aimeter credits transactions {row['billable']}"
        if row["balance"] != row["ledger"]:
            yield Difference.of_money(
                _CHECK, row["billable"], record, ("its ledger comes to", "its balance is"),
                (row["ledger"], row["balance"]), row["currency"], hint,
            )  # fmt: skip
        left = max(0, row["balance"])
        if row["granted"] != left:
            yield Difference.of_money(
                _CHECK, row["billable"], record,
                ("of its balance there may be left", "its grants have"),
                (left, row["granted"]), row["currency"],
                f"aimeter credits balance {row['billable']}",
            )  # fmt: skip


def ledgers(session: Session, billable_id: int | None) -> Iterator[Difference]:
    """Each entry tells the balance after it, and is not reversed by more than it is."""
    for row in repo.broken_chains(session, billable_id):
        yield Difference.of_money(
            "ledgers", row["billable"], f"credit transaction {row['id']}",
            ("the entries up to it come to", "its balance_after is"),
            (row["expected"], row["balance_after"]), row["currency"],
            f"aimeter credits transactions {row['billable']}",
        )  # fmt: skip
    for row in repo.over_reversed(session, billable_id):
        yield Difference.of_money(
            "ledgers", row["billable"], f"credit transaction {row['id']}",
            ("it may be reversed by", "it was reversed by"), (row["most"], row["found"]),
            row["currency"], f"aimeter credits transactions {row['billable']}",
        )  # fmt: skip


def paid_usages(session: Session, billable_id: int | None) -> Iterator[Difference]:
    """A paid usage has one entry of its cost, in its billable's wallet; the others have none."""
    for row in repo.misjudged_usages(session, billable_id):
        billable, record = row["billable"], f"usage {row['id']}"
        hint = f"aimeter credits transactions {billable} --kind usage"
        if row["paid"] != row["expected"]:
            yield Difference.of_money(
                "paid usages", billable, record, (f"it is {row['state']} and costs", "it was paid"),
                (row["expected"], row["paid"]), row["currency"], hint,
            )  # fmt: skip
            continue
        told = f"it is {row['state']}, with {row['entries']} entries in the ledger"
        if row["is_anothers"]:
            told = "it was paid from the wallet of another billable"
        yield Difference("paid usages", billable, record, told, hint)
