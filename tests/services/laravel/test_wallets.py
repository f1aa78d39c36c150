"""Wallets: every entry of the ledger, and the balance that it comes to."""

from __future__ import annotations

from decimal import Decimal

import pytest

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.models.wallets import CreditGrant, CreditTransaction, CreditWallet
from aimeter_cli.services.credits.changes import add
from aimeter_cli.services.laravel.writing.wallets import WalletWriter
from tests.services.laravel.moving import CHARGING, NOW, move, reasons, rows
from tests.services.laravel.shop import Shop

HERE = BillableRef("user", "1")


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """With one plan, of 1,000 tokens."""
    shop.add("ai_plans", monthly_token_limit=1000, overage_price_per_1k_tokens="0.01")
    return shop


def test_a_ledger_comes_entry_by_entry_and_what_is_left_of_its_grants(
    any_database: Database, shop: Shop
) -> None:
    shop.add("ai_credit_wallets", balance="3.5")
    for nanos, direction in (("5", "credit"), ("4", "debit"), ("3", "credit"), ("0.5", "debit")):
        shop.add("ai_credit_transactions", amount=nanos, direction=direction, meta='{"a": 1}')
    move(any_database, shop)
    entries = rows(any_database, CreditTransaction)
    assert [(each.kind, each.amount, each.balance_after) for each in entries] == [
        ("add", Decimal(5), Decimal(5)), ("deduct", Decimal(-4), Decimal(1)),
        ("add", Decimal(3), Decimal(4)), ("deduct", Decimal("-0.5"), Decimal("3.5")),
    ]  # fmt: skip
    assert (entries[0].reason, entries[0].meta) == ("top-up", '{"a": 1}')
    assert [(each.transaction_id, each.amount, each.remaining)
            for each in rows(any_database, CreditGrant)] == [
        (1, Decimal(5), Decimal("0.5")), (3, Decimal(3), Decimal(3)),
    ]  # fmt: skip


def test_pitfall_23_a_balance_that_differs_from_its_ledger_is_corrected_in_the_ledger(
    database: Database, shop: Shop
) -> None:
    shop.add("ai_credit_wallets", balance="10.5")
    shop.add("ai_credit_wallets", billable_id=2, balance="-2")
    shop.add("ai_credit_transactions", amount="10")
    for _ in range(2):
        report = move(database, shop)
    assert [each.balance for each in rows(database, CreditWallet)] == [Decimal("10.5"), Decimal(-2)]
    assert [(each.kind, each.amount, each.idempotency_key)
            for each in rows(database, CreditTransaction)] == [
        ("add", Decimal(10), "laravel:transaction:1"),
        ("correction", Decimal("0.5"), "laravel:wallet:1:1"),
        ("correction", Decimal(-2), "laravel:wallet:2:1"),
    ]  # fmt: skip
    assert report.notes == []


def test_an_overdraft_is_paid_by_what_comes_next(database: Database, shop: Shop) -> None:
    shop.add("ai_credit_wallets", balance="1")
    shop.add("ai_credit_transactions", amount="2", direction="debit")
    shop.add("ai_credit_transactions", amount="3")
    move(database, shop)
    assert [each.remaining for each in rows(database, CreditGrant)] == [Decimal(1)]


def test_a_later_import_spends_the_grants_of_the_first(database: Database, shop: Shop) -> None:
    shop.add("ai_credit_wallets", balance="5")
    shop.add("ai_credit_transactions", amount="2")
    shop.add("ai_credit_transactions", amount="3")
    move(database, shop)
    add(database, CHARGING, HERE, Decimal(7), now=NOW)
    shop.add("ai_credit_transactions", amount="2.5", direction="debit")
    shop.execute("UPDATE ai_credit_wallets SET balance = 2.5")
    move(database, shop)
    assert [each.balance for each in rows(database, CreditWallet)] == [Decimal("9.5")]
    assert [each.remaining for each in rows(database, CreditGrant)] == [0, Decimal("2.5"), 7]


def test_pitfall_23_nobody_spends_from_a_wallet_while_it_is_imported_into(
    pg_database: Database, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.add("ai_credit_wallets", balance="5")
    move(pg_database, shop)
    finish = WalletWriter.finish

    def finish_undisturbed(writer: WalletWriter) -> None:
        with pg_database.engine.connect() as other:
            free = other.exec_driver_sql(
                "SELECT id FROM ai_credit_wallets FOR NO KEY UPDATE SKIP LOCKED"
            )
            assert free.all() == []
        finish(writer)

    monkeypatch.setattr(WalletWriter, "finish", finish_undisturbed)
    shop.add("ai_credit_transactions", amount="5")
    assert move(pg_database, shop).table("ai_credit_transactions").imported == 1


def test_a_wallet_that_is_here_already_is_not_mixed_with_theirs(
    database: Database, shop: Shop
) -> None:
    add(database, CHARGING, HERE, Decimal(7), now=NOW)
    shop.add("ai_credit_wallets", balance="5")
    shop.add("ai_credit_transactions", amount="5")
    report = move(database, shop)
    assert reasons(report) == [
        ("ai_credit_wallets", "its billable has a wallet here already", 1, "1"),
        ("ai_credit_transactions", "its wallet is not there, or was left out", 1, "1"),
    ]
    assert [each.balance for each in rows(database, CreditWallet)] == [7]


def test_pitfall_17_a_wallet_that_changed_its_currency_there_is_not_booked_in_the_old_one(
    database: Database, shop: Shop
) -> None:
    shop.add("ai_credit_wallets", balance="5")
    shop.add("ai_credit_transactions", amount="5")
    move(database, shop)
    shop.add("ai_credit_transactions", amount="100")
    shop.execute("UPDATE ai_credit_wallets SET currency = 'eur', balance = 105")
    report = move(database, shop)
    assert reasons(report) == [
        ("ai_credit_wallets", "it is in usd here already", 1, "1"),
        ("ai_credit_transactions", "its wallet is not there, or was left out", 2, "1, 2"),
    ]
    [wallet] = rows(database, CreditWallet)
    assert (wallet.balance, wallet.currency) == (5, "usd")
