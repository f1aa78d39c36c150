"""Many writers at one wallet: the balance is the ledger's sum and never below zero."""

from __future__ import annotations

from decimal import Decimal
from threading import Barrier, Thread
from typing import Any

import pytest
from sqlmodel import select

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.credits import InsufficientCredits
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.models.usages import Usage
from aimeter_cli.repositories import credits as repo
from tests.support import credit_process
from tests.support.credit_process import ROUNDS
from tests.support.credits import Bank
from tests.support.processes import start


def test_eight_processes_at_one_wallet_never_overdraw_it_and_the_ledger_adds_up(
    any_bank: Bank,
) -> None:
    any_bank.add("30")
    url = any_bank.database.url.render_as_string(hide_password=False)
    for process in start(credit_process.main, [(url, str(n)) for n in range(8)]):
        process.result(300)
    entries = any_bank.entries()
    assert min(entry.balance_after for entry in entries) >= 0
    assert sum((entry.amount for entry in entries), Decimal(0)) == any_bank.balance
    assert sum(entry.kind == "add" for entry in entries) == 1 + 8 * 2
    deducted = sum(entry.kind == "deduct" for entry in entries)
    assert 0 < deducted < 8 * ROUNDS  # they did fight for what there was
    any_bank.assert_sound()
    any_bank.add("1000")
    with any_bank.database.read() as session:
        usages = session.exec(select(Usage)).all()
    assert {usage.state for usage in usages} == {"priced"}
    assert sum(usage.idempotency_key.startswith("call:") for usage in usages) == 8 * ROUNDS
    any_bank.assert_sound()


def at_once(many: int, work: Any) -> list[Any]:
    """The results, or errors, of so many threads that begin together."""
    results: list[Any] = [None] * many
    barrier = Barrier(many)

    def run(n: int) -> None:
        barrier.wait()
        try:
            results[n] = work(n)
        except Exception as error:  # noqa: BLE001 - it is the result
            results[n] = error

    threads = [Thread(target=run, args=(n,)) for n in range(many)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_of_many_holds_at_once_only_those_that_are_covered_are_granted(any_bank: Bank) -> None:
    any_bank.add("5")
    results = at_once(8, lambda n: any_bank.hold("1"))
    assert sum(isinstance(result, str) for result in results) == 5
    assert sum(isinstance(result, InsufficientCredits) for result in results) == 3
    assert any_bank.wallet().held == 5


def test_one_key_used_at_once_makes_one_entry(any_bank: Bank) -> None:
    results = at_once(8, lambda n: any_bank.add("5", key="order-1"))
    assert [result.entry.id for result in results] == [results[0].entry.id] * 8
    assert sum(result.is_new for result in results) == 1
    assert any_bank.balance == 5


def test_of_two_wallets_that_use_one_key_at_once_the_later_has_a_conflict(
    pg_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = Bank(pg_database)
    refs = [BillableRef("user", "1"), BillableRef("user", "2")]
    for ref in refs:
        bank.add("1", ref=ref)
    both_have_looked, find = Barrier(2), repo.entry_by_key
    looks = []

    def look(*args: Any) -> Any:
        found = find(*args)
        looks.append(found)
        if len(looks) <= 2:
            both_have_looked.wait(30)
        return found

    monkeypatch.setattr(repo, "entry_by_key", look)
    results = at_once(2, lambda n: bank.add("5", ref=refs[n], key="order-1"))
    assert sorted(type(result).__name__ for result in results) == ["Booked", "Conflict"]
    assert looks[:2] == [None, None]
    assert len(looks) == 3
    assert sum(bank.wallet(ref).balance for ref in refs) == 1 + 1 + 5


def test_many_refunds_at_once_give_back_no_more_than_was_taken(any_bank: Bank) -> None:
    any_bank.add("10")
    taken = any_bank.deduct("5").entry.id
    at_once(8, lambda n: any_bank.refund(taken, "1"))
    assert any_bank.balance == 10
    any_bank.assert_sound()


def test_the_first_credits_from_many_at_once_make_one_wallet(any_bank: Bank) -> None:
    results = at_once(8, lambda n: any_bank.add("1"))
    assert sorted(int(result.entry.balance_after) for result in results) == list(range(1, 9))
    assert any_bank.balance == 8
