"""The audit of wallets: whatever was changed behind the ledger's back is found, and named."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import text

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.credits import InsufficientCredits
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.errors import Conflict
from aimeter_cli.repositories.credit_entries import EntryView, Filter
from aimeter_cli.services.audit.run import run_audit
from aimeter_cli.services.credits import changes
from aimeter_cli.services.credits.reading import transactions
from aimeter_cli.settings.table import Settings
from tests.support.credits import Bank

EVE = BillableRef("user", "7")


@pytest.fixture
def busy(any_bank: Bank) -> Bank:
    """Every kind of entry, a debt that was paid off, a usage that waits."""
    any_bank.settings = replace(any_bank.settings, credit_overdraft=Decimal(2))
    any_bank.add("5", expires_at=any_bank.now + timedelta(days=1))  # 1
    any_bank.use("3")  # 2: usage 1
    any_bank.now += timedelta(days=1)
    any_bank.add("4")  # 3: expiry, 4
    any_bank.deduct("6")  # 5
    any_bank.refund(5, "3")  # 6
    any_bank.add("9")  # 7
    any_bank.refund(7, "1")  # 8
    any_bank.use("100")  # usage 2
    any_bank.add("1", ref=EVE)  # 9, wallet 2
    any_bank.assert_sound()
    return any_bank


@pytest.mark.parametrize(
    ("change", "check", "record", "detail"),
    [
        ("UPDATE ai_credit_wallets SET balance = balance + 1 WHERE id = 1", "wallets", "wallet 1",
         "its ledger comes to 9.00 USD, its balance is 9.000000001 USD"),
        ("UPDATE ai_credit_grants SET remaining = remaining - 1 WHERE transaction_id = 7",
         "wallets", "wallet 1",
         "of its balance there may be left 9.00 USD, its grants have 8.999999999 USD"),
        ("UPDATE ai_credit_transactions SET balance_after = balance_after + 1 WHERE id = 5",
         "ledgers", "credit transaction 5",
         "the entries up to it come to -2.00 USD, its balance_after is -1.999999999 USD"),
        ("UPDATE ai_credit_transactions SET reverses_id = 2 WHERE id = 7", "ledgers",
         "credit transaction 2", "it may be reversed by 3.00 USD, it was reversed by 9.00 USD"),
        ("UPDATE ai_credit_transactions SET amount = amount - 1 WHERE id = 7", "wallets",
         "wallet 1", "its ledger comes to 8.999999999 USD, its balance is 9.00 USD"),
        ("UPDATE ai_credit_transactions SET reverses_id = 1 WHERE id = 5", "ledgers",
         "credit transaction 1", "it may be reversed by -5.00 USD, it was reversed by -8.00 USD"),
        ("UPDATE ai_usages SET state = 'priced', plan_cost = 100000000000 WHERE id = 2",
         "paid usages", "usage 2", "it is priced and costs 100.00 USD, it was paid 0.00 USD"),
        ("UPDATE ai_usages SET state = 'unpaid' WHERE id = 1", "paid usages", "usage 1",
         "it is unpaid and costs 0.00 USD, it was paid 3.00 USD"),
        ("UPDATE ai_usages SET plan_cost = plan_cost + 1 WHERE id = 1", "paid usages", "usage 1",
         "it is priced and costs 3.000000001 USD, it was paid 3.00 USD"),
        ("UPDATE ai_usages SET billable_id = 2 WHERE id = 1", "paid usages", "usage 1",
         "it was paid from the wallet of another billable"),
        ("UPDATE ai_usages SET billing_mode = NULL WHERE id = 1", "paid usages", "usage 1",
         "it is priced, with 1 entries in the ledger"),
    ],
)  # fmt: skip
def test_a_nano_amiss_is_found(
    change: str, check: str, record: str, detail: str, busy: Bank
) -> None:
    with busy.database.write() as session:
        session.connection().execute(text(change))
    found = [
        (each.check, each.record, each.detail) for each in run_audit(busy.database).differences
    ]
    assert (check, record, detail) in found


def test_the_audit_of_one_billable_sees_its_wallet_only(busy: Bank) -> None:
    with busy.database.write() as session:
        session.connection().execute(text("UPDATE ai_credit_wallets SET balance = balance + 1"))
    both = run_audit(busy.database).differences
    assert {each.billable for each in both} == {"user:42", "user:7"}
    assert {each.billable for each in run_audit(busy.database, billable_id=2).differences} == {
        "user:7"
    }


def test_whatever_happens_to_a_wallet_its_books_stay_sound(
    database: Database,
) -> None:
    """Random additions, deductions, usages, refunds, holds and days that pass."""

    class Here(Story):
        def __init__(self) -> None:
            super().__init__(database)

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=12, stateful_step_count=25, deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip


class Story(RuleBasedStateMachine):
    """Each story has a billable of its own."""

    number = 0

    def __init__(self, database: Database) -> None:
        super().__init__()
        Story.number += 1
        self.who = BillableRef("user", str(Story.number))
        self.bank = Bank(database, replace(Settings(), credit_overdraft=Decimal(3)))
        self.bank.add("1", ref=self.who)

    amounts = st.integers(1, 12 * 10**9).map(lambda nanos: f"{nanos}e-9")

    @rule(amount=amounts, days=st.none() | st.integers(1, 5))
    def add(self, amount: str, days: int | None) -> None:
        end = None if days is None else self.bank.now + timedelta(days=days)
        self.bank.add(amount, ref=self.who, expires_at=end)

    @rule(amount=amounts)
    def deduct(self, amount: str) -> None:
        available = self.bank.wallet(self.who).available or Decimal(0)
        if Decimal(amount) <= available:
            self.bank.deduct(amount, ref=self.who)
        else:
            with pytest.raises(InsufficientCredits):
                self.bank.deduct(amount, ref=self.who)

    @rule(amount=amounts)
    def use(self, amount: str) -> None:
        self.bank.use(amount, billable=str(self.who))

    @rule(which=st.integers(0, 30), amount=st.none() | amounts)
    def refund(self, which: int, amount: str | None) -> None:
        mine = [entry.id for entry in self.entries()]
        with suppress(Conflict, InsufficientCredits):
            changes.refund(
                self.bank.database, self.bank.settings, mine[which % len(mine)], now=self.bank.now,
                amount=None if amount is None else Decimal(amount),
            )  # fmt: skip

    @rule(days=st.integers(1, 3))
    def days_pass(self, days: int) -> None:
        self.bank.now += timedelta(days=days)

    def entries(self) -> list[EntryView]:
        return transactions(self.bank.database, Filter(billable=self.who), limit=1000)

    @invariant()
    def books_are_sound(self) -> None:
        self.bank.assert_sound()
        view = self.bank.wallet(self.who)
        assert view.balance >= -3
        assert sum((grant.remaining for grant in view.grants), Decimal(0)) == max(0, view.balance)
        expired = sum((g.remaining for g in view.grants if g.expires_at and
                       g.expires_at <= self.bank.now), Decimal(0))  # fmt: skip
        assert expired == 0
