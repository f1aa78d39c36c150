"""Holds: what a running call has set aside nobody else spends."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from aimeter_cli.domain.credits import InsufficientCredits
from aimeter_cli.errors import InvalidInput
from aimeter_cli.services.credits.holds import close_hold
from tests.support.credits import Bank


def close(bank: Bank, uid: str) -> None:
    with bank.database.write() as session:
        close_hold(session, uid, now=bank.now)


def test_what_is_held_is_not_available_but_in_the_balance(any_bank: Bank) -> None:
    any_bank.add("10")
    uid = any_bank.hold("7")
    view = any_bank.wallet()
    assert (view.balance, view.held, view.available) == (Decimal(10), Decimal(7), Decimal(3))
    with pytest.raises(InsufficientCredits):
        any_bank.deduct("3.01")
    assert any_bank.use("4").state == "unpaid"
    close(any_bank, uid)
    close(any_bank, uid)
    assert any_bank.wallet().available == 10
    assert any_bank.add("1").paid == 1


def test_a_hold_that_is_not_covered_is_refused(any_bank: Bank) -> None:
    any_bank.add("10")
    any_bank.hold("6")
    with pytest.raises(InsufficientCredits) as refused:
        any_bank.hold("4.01")
    assert (refused.value.held, refused.value.available) == (Decimal(6), Decimal(4))
    any_bank.hold("4")


def test_an_expired_hold_counts_no_more(any_bank: Bank) -> None:
    any_bank.add("10")
    any_bank.hold("10", minutes=5)
    any_bank.now += timedelta(minutes=5)
    assert any_bank.wallet().held == 0
    any_bank.deduct("10")


def test_the_hold_of_a_call_does_not_stop_its_own_payment(any_bank: Bank) -> None:
    any_bank.add("10")
    mine, other = any_bank.hold("5"), any_bank.hold("4")
    assert any_bank.use("6", release=mine).state == "priced"
    assert any_bank.wallet().held == 4
    assert any_bank.use("1", release=other).state == "priced"
    view = any_bank.wallet()
    assert (view.balance, view.held) == (Decimal(3), Decimal(0))
    any_bank.assert_sound()


def test_a_call_dearer_than_its_hold_takes_nothing_that_others_hold(bank: Bank) -> None:
    bank.add("10")
    mine, _other = bank.hold("2"), bank.hold("6")
    assert bank.use("5", release=mine).state == "unpaid"


def test_nothing_is_held_while_usages_are_unpaid(bank: Bank) -> None:
    bank.add("3")
    bank.use("5")
    with pytest.raises(InsufficientCredits, match="not paid yet"):
        bank.hold("1")


def test_without_a_wallet_nothing_can_be_held_whatever_the_overdraft(bank: Bank) -> None:
    bank.settings = replace(bank.settings, credit_overdraft=True)
    with pytest.raises(InsufficientCredits) as refused:
        bank.hold("1")
    assert (refused.value.available, refused.value.needed) == (Decimal(0), Decimal(1))


def test_an_overdraft_is_there_to_be_held(bank: Bank) -> None:
    bank.settings = replace(bank.settings, credit_overdraft=Decimal(5))
    bank.add("1")
    bank.hold("6")
    with pytest.raises(InsufficientCredits):
        bank.hold("0.01")


def test_a_negative_estimate_is_refused(bank: Bank) -> None:
    bank.add("1")
    with pytest.raises(InvalidInput, match="estimated cost"):
        bank.hold("-1")


def test_what_was_unpaid_only_for_a_hold_holds_up_nobody_once_that_is_gone(any_bank: Bank) -> None:
    any_bank.add("10")
    failed = any_bank.hold("6")
    assert any_bank.use("5").state == "unpaid"
    assert not any_bank.standing().allows_a_call
    close(any_bank, failed)
    assert any_bank.standing().allows_a_call
    assert any_bank.wallet().waits_for == (
        "usage 1, 5.00 USD: the next usage, or addition of credits, pays it"
    )
    with pytest.raises(InsufficientCredits):
        any_bank.hold("5.01")
    assert any_bank.wallet().has_unpaid
    any_bank.hold("5")  # pays what waits
    view = any_bank.wallet()
    assert (view.balance, view.available, view.has_unpaid) == (Decimal(5), Decimal(0), False)
    any_bank.assert_sound()
