"""The predecessor's faults with prepaid credits. The number is that of PITFALLS."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.pricing import NO_PRICES
from aimeter_cli.domain.rates import NoRate, Rate
from aimeter_cli.domain.usage import usage_line
from aimeter_cli.errors import Conflict
from aimeter_cli.models.usages import Usage
from aimeter_cli.repositories import credits as repo
from aimeter_cli.services.exchange import Exchange
from aimeter_cli.services.rates import set_rates
from aimeter_cli.services.recording.record import Recorder
from aimeter_cli.settings.table import Settings
from tests.support.credits import CREDITS, Bank

TINY = Decimal("0.00000015")


@pytest.fixture
def bank(any_database: Database) -> Bank:
    return Bank(any_database)


def usages(bank: Bank) -> list[Usage]:
    with bank.database.read() as session:
        return list(session.exec(select(Usage).order_by(Usage.id)))  # type: ignore[arg-type]


def test_pitfall_10_currencies_are_never_added_and_a_payment_is_linked_to_its_usage(
    bank: Bank,
) -> None:
    bank.settings = replace(bank.settings, currency_rates={"eur_usd": Decimal("1.25")})
    bank.add("10")
    with pytest.raises(Conflict, match="is in usd"):
        bank.add("10", currency="eur")
    bank.use("2", currency="eur")
    [usage], [_, paid] = usages(bank), bank.entries()
    assert (paid.usage_id, paid.amount) == (usage.id, Decimal("-2.5"))
    assert bank.balance == Decimal("7.5")
    again = {
        "wallet_id": 1, "kind": "usage", "amount": 0, "balance_after": 0, "created_at": bank.now,
        "idempotency_key": paid.idempotency_key,
    }  # fmt: skip
    with pytest.raises(IntegrityError), bank.database.write() as session:
        repo.insert_entries(session, [again])


def test_pitfall_11_a_call_dearer_than_what_is_left_is_recorded_whole_and_waits(
    bank: Bank,
) -> None:
    bank.add("900")
    assert bank.use("10000").state == "unpaid"
    assert bank.balance == 900
    bank.add("9100")
    assert (bank.balance, usages(bank)[0].state) == (Decimal(0), "priced")


def test_pitfall_13_a_paid_call_is_recorded_though_the_wallet_is_empty_without_an_error(
    bank: Bank,
) -> None:
    bank.add("0.01")
    assert bank.use("5").state == "unpaid"
    assert [usage.cost for usage in usages(bank)] == [5]


def test_pitfall_13_usage_and_debit_are_one_transaction(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank.add("10")

    def fails(*_: Any) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(repo, "mark_paid", fails)
    with pytest.raises(OSError, match="the disk is full"):
        bank.use("5")
    assert not usages(bank)
    assert (bank.balance, bank.ledger()) == (Decimal(10), [("add", "10")])


def test_pitfall_14_a_repeated_usage_debits_once(bank: Bank) -> None:
    bank.add("10")
    for _ in range(3):
        bank.use("4", idempotency_key="request-1")
    assert (len(usages(bank)), bank.balance) == (1, Decimal(6))


def test_pitfall_16_nothing_is_locked_while_a_call_runs(bank: Bank) -> None:
    bank.add("10")
    held = bank.hold("5")
    other = Bank(Database(bank.database.url.render_as_string(hide_password=False)))
    other.deduct("5")
    other.add("1")
    assert other.use("1").state == "priced"
    other.database.dispose()
    assert bank.use("5", release=held).state == "priced"
    assert bank.balance == 0


def test_pitfall_17_what_is_unpaid_is_summed_by_currency(bank: Bank) -> None:
    for cost, currency in (("1", "usd"), ("2", "eur"), ("3", "usd")):
        bank.use(cost, currency=currency)
    unpaid = [(each.usages, each.cost, each.currency) for each in bank.wallet().unpaid]
    assert unpaid == [(1, Decimal(2), "eur"), (2, Decimal(4), "usd")]


@pytest.mark.parametrize("step", ["insert_entries", "set_remaining", "add_grant"])
def test_pitfall_23_balance_ledger_and_grants_change_together_or_not_at_all(
    step: str, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank.add("10")

    def fails(*_: Any, **__: Any) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(repo, step, fails)
        with pytest.raises(OSError, match="the disk is full"):
            (bank.add if step == "add_grant" else bank.deduct)("4")
    assert (bank.balance, bank.ledger()) == (Decimal(10), [("add", "10")])
    bank.assert_sound()


def test_pitfall_23_a_repeated_refund_gives_back_once_in_the_wallets_currency(bank: Bank) -> None:
    bank.settings = replace(bank.settings, currency_rates={"eur_usd": Decimal("1.25")})
    bank.add("10")
    bank.use("4", currency="eur")
    [_, paid] = bank.entries()
    for _ in range(2):
        assert bank.refund(paid.id, key="support-7").entry.amount == 5
    assert (bank.balance, len(bank.entries())) == (Decimal(10), 3)
    with pytest.raises(Conflict, match="nothing is left"):
        bank.refund(paid.id)


def test_pitfall_24_a_tiny_debit_is_the_same_in_ledger_and_balance(bank: Bank) -> None:
    bank.add("1")
    bank.use("0.00000015")
    bank.deduct("0.00000015")
    assert [entry.amount for entry in bank.entries()] == [1, -TINY, -TINY]
    assert bank.balance == 1 - 2 * TINY
    bank.assert_sound()


def test_pitfall_25_without_a_rate_nothing_is_debited_and_the_rate_is_kept(bank: Bank) -> None:
    bank.add("10")
    assert bank.use("3", currency="eur").state == "unpaid"
    assert bank.balance == 10
    with bank.database.read() as session, pytest.raises(NoRate):
        Exchange(session, Settings()).conversion("eur", "usd", bank.now)
    set_rates(bank.database, [Rate("eur", "usd", Decimal("1.1"), bank.now, "ECB")], now=bank.now)
    assert bank.add("1").paid == 1
    [usage] = usages(bank)
    assert (usage.plan_cost, usage.exchange) == (Decimal("3.3"), "eur/usd 1.1 (ECB 2026-11-15)")
    assert bank.balance == Decimal("7.7")


def test_pitfall_26_a_wallet_with_a_ledger_cannot_be_deleted(bank: Bank) -> None:
    bank.add("10")
    for table in ("ai_credit_wallets", "ai_billables"):
        with pytest.raises(IntegrityError), bank.database.write() as session:
            session.connection().execute(text(f"DELETE FROM {table}"))
    assert bank.balance == 10


def test_pitfall_26_a_model_without_a_price_is_not_paid_with_nothing(bank: Bank) -> None:
    bank.add("10")
    line = usage_line(
        {"billable": "user:42", "provider": "acme", "model": "new", "input_tokens": 10,
         "idempotency_key": "a"},
        now=bank.now, caller=CREDITS,
    )  # fmt: skip
    done = Recorder(bank.database, bank.settings, NO_PRICES).record_one(line, now=bank.now)
    assert (done.state, done.cost) == ("unpriced", None)
    assert bank.ledger() == [("add", "10")]


def test_pitfall_26_the_ledger_of_a_usage_keeps_it(bank: Bank) -> None:
    """Nothing that was paid for is deleted behind the ledger's back."""
    bank.add("10")
    bank.use("1")
    with pytest.raises(IntegrityError), bank.database.write() as session:
        session.connection().execute(text("DELETE FROM ai_usages"))
