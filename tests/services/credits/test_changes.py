"""Additions, deductions, refunds: the ledger, the balance and the grants move together."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.credits import InsufficientCredits
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.errors import Conflict, InvalidInput, NotFound
from aimeter_cli.repositories.billables import get_or_create_billable
from aimeter_cli.settings.table import Settings
from tests.support.credits import ADA, Bank

EVE = BillableRef("user", "7")
DAY = timedelta(days=1)


def test_the_balance_follows_the_ledger(any_bank: Bank) -> None:
    any_bank.add("10")
    any_bank.deduct("2.5", reason="fee", meta={"order": "17"})
    third = any_bank.add("0.000000001")
    assert third.entry.balance_after == Decimal("7.500000001") == any_bank.balance
    assert any_bank.ledger() == [("add", "10"), ("deduct", "-2.5"), ("add", "0.000000001")]
    fee = any_bank.entries()[1]
    assert (fee.reason, fee.meta) == ("fee", '{"order": "17"}')
    any_bank.assert_sound()


def test_a_deduction_that_is_not_covered_is_refused_with_the_figures(any_bank: Bank) -> None:
    any_bank.add("10")
    with pytest.raises(InsufficientCredits) as refused:
        any_bank.deduct("10.000000001")
    assert (refused.value.available, refused.value.needed) == (Decimal(10), Decimal("10.000000001"))
    assert any_bank.ledger() == [("add", "10")]
    any_bank.deduct("10")
    assert any_bank.balance == 0


def test_an_overdraft_goes_as_far_as_it_is_allowed_and_is_paid_off_first(any_bank: Bank) -> None:
    any_bank.settings = replace(any_bank.settings, credit_overdraft=Decimal(5))
    any_bank.add("10")
    with pytest.raises(InsufficientCredits):
        any_bank.deduct("15.01")
    any_bank.deduct("15")
    assert any_bank.balance == -5
    any_bank.assert_sound()
    any_bank.add("8")
    assert [grant.remaining for grant in any_bank.wallet().grants] == [3]
    assert any_bank.balance == 3
    any_bank.assert_sound()


def test_without_a_limit_the_overdraft_has_none(bank: Bank) -> None:
    bank.settings = replace(bank.settings, credit_overdraft=True)
    bank.add("1")
    assert bank.wallet().available is None
    bank.deduct("1000000")
    assert bank.balance == -999_999
    bank.assert_sound()


@pytest.mark.parametrize("verb", ["add", "deduct"])
def test_a_repeated_key_changes_nothing_and_shows_the_first_entry(
    verb: str, any_bank: Bank
) -> None:
    any_bank.add("100")
    change = getattr(any_bank, verb)
    first = change("5", key="k", reason="r", meta={"a": "b"})
    again = change("5", key="k", reason="r", meta={"a": "b"})
    assert first.is_new
    assert not again.is_new
    assert again.entry == first.entry
    assert len(any_bank.entries()) == 2


@pytest.mark.parametrize(
    "other",
    [{"amount": "6"}, {"reason": "s"}, {"meta": {"a": "c"}}, {"ref": EVE}, {"verb": "deduct"},
     {"expires_at": True}, {"currency": "usd"}],
)  # fmt: skip
def test_a_key_with_other_content_is_a_conflict(other: dict[str, Any], bank: Bank) -> None:
    bank.add("100", ref=EVE)
    bank.add("5", key="k", reason="r", meta={"a": "b"})
    said = {"key": "k", "reason": "r", "meta": {"a": "b"}} | other
    amount, verb = said.pop("amount", "5"), said.pop("verb", "add")
    if said.get("expires_at"):
        said["expires_at"] = bank.now + DAY
    with pytest.raises(Conflict, match="idempotency key 'k'"):
        getattr(bank, verb)(amount, **said)
    assert len(bank.entries()) == 2


def test_the_keys_of_paid_usages_cannot_be_taken(bank: Bank) -> None:
    with pytest.raises(InvalidInput, match="--idempotency-key"):
        bank.add("5", key="usage:17")


def test_the_wallets_currency_is_said_else_the_billables_else_the_configurations(
    bank: Bank,
) -> None:
    with bank.database.write() as session:
        eve = get_or_create_billable(session, EVE, bank.now)
        eve.currency = "gbp"
        session.add(eve)
    assert bank.add("1", ref=EVE).entry.currency == "gbp"
    assert bank.add("1").entry.currency == "usd"
    assert bank.add("1", ref=BillableRef("user", "8"), currency="eur").entry.currency == "eur"


def test_credits_of_another_currency_are_refused_not_added(bank: Bank) -> None:
    bank.add("1")
    with pytest.raises(Conflict, match="is in usd"):
        bank.add("1", currency="eur")
    assert bank.balance == 1


@pytest.mark.parametrize("amount", ["0", "-1"])
def test_an_amount_that_is_not_above_0_is_refused(amount: str, bank: Bank) -> None:
    for change in (bank.add, bank.deduct):
        with pytest.raises(InvalidInput, match="AMOUNT"):
            change(amount)


def test_a_dry_run_shows_the_entry_and_changes_nothing(bank: Bank) -> None:
    assert bank.add("5", dry_run=True).entry.balance_after == 5
    assert bank.entries() == []
    bank.add("5")
    assert bank.deduct("2", dry_run=True).entry.balance_after == 3
    assert bank.refund(1, dry_run=True).entry.kind == "correction"
    assert bank.balance == 5


def test_who_has_no_wallet_has_nothing_to_deduct(bank: Bank) -> None:
    with pytest.raises(NotFound, match="no billable"):
        bank.deduct("1")
    with bank.database.write() as session:
        get_or_create_billable(session, ADA, bank.now)
    with pytest.raises(NotFound, match="has no credits"):
        bank.deduct("1")


def _left(bank: Bank) -> list[tuple[Decimal, datetime | None]]:
    """What is left of each grant, and until when."""
    left = ((grant.remaining, grant.expires_at) for grant in bank.wallet().grants)
    return sorted(left, key=lambda each: (each[0], str(each[1])))


def test_a_refund_gives_back_credits_that_expire_as_those_that_were_taken(any_bank: Bank) -> None:
    soon, late = any_bank.now + timedelta(days=10), any_bank.now + timedelta(days=20)
    any_bank.add("3", expires_at=soon)
    any_bank.add("4", expires_at=late)
    any_bank.add("5")
    taken = any_bank.deduct("8").entry.id
    assert _left(any_bank) == [(Decimal(4), None)]
    any_bank.refund(taken, "2")  # what lasts longest comes back first
    assert _left(any_bank) == [(Decimal(1), late), (Decimal(1), None), (Decimal(4), None)]
    rest = any_bank.refund(taken).entry
    assert rest.amount == 6
    assert sorted(left for left in _left(any_bank) if left[1] == soon) == [(Decimal(3), soon)]
    assert any_bank.balance == 12
    any_bank.assert_sound()
    any_bank.refund(rest.id)  # and a refund is taken back from all of its grants
    assert any_bank.balance == 6
    any_bank.assert_sound()


def test_a_usage_that_expiring_credits_paid_gives_them_back_as_they_were(bank: Bank) -> None:
    until = bank.now + timedelta(days=10)
    bank.add("3", expires_at=until)
    bank.use("1")
    bank.refund(bank.entries()[-1].id)
    assert {expires for _, expires in _left(bank)} == {until}
    bank.now = until
    assert bank.balance == 0
    bank.assert_sound()


def test_a_debt_is_paid_out_of_what_expires_soonest_of_a_refund(database: Database) -> None:
    bank = Bank(database, replace(Settings(), credit_overdraft=True))
    until = bank.now + timedelta(days=10)
    bank.add("3", expires_at=until)
    bank.add("3")
    taken = bank.deduct("6").entry.id
    bank.deduct("2")
    bank.refund(taken)
    assert _left(bank) == [(Decimal(1), until), (Decimal(3), None)]
    bank.assert_sound()


def test_expired_credits_come_back_only_with_a_time_until_when(bank: Bank) -> None:
    until = bank.now + timedelta(days=10)
    bank.add("3", expires_at=until)
    taken = bank.deduct("2").entry.id
    bank.now = until
    with pytest.raises(Conflict, match=r"2\.00 USD of transaction 2 were of credits that expired"):
        bank.refund(taken)
    later = until + timedelta(days=5)
    bank.refund(taken, expires_at=later)
    assert _left(bank) == [(Decimal(2), later)]
    bank.assert_sound()


def test_a_refund_gives_back_no_more_than_was_taken(any_bank: Bank) -> None:
    any_bank.add("10")
    taken = any_bank.deduct("8").entry.id
    back = any_bank.refund(taken, "3")
    assert (back.entry.kind, back.entry.amount, back.entry.reverses_id) == (
        "refund", Decimal(3), taken,
    )  # fmt: skip
    with pytest.raises(Conflict, match=r"only 5\.00 USD is left"):
        any_bank.refund(taken, "5.01")
    assert any_bank.refund(taken).entry.amount == 5
    with pytest.raises(Conflict, match="nothing is left"):
        any_bank.refund(taken)
    assert any_bank.balance == 10
    any_bank.assert_sound()


def test_of_what_was_added_only_what_is_not_spent_is_corrected(any_bank: Bank) -> None:
    added = any_bank.add("10").entry.id
    any_bank.deduct("4")
    with pytest.raises(Conflict, match=r"only 6\.00 USD is left"):
        any_bank.refund(added, "7")
    gone = any_bank.refund(added)
    assert (gone.entry.kind, gone.entry.amount, gone.entry.balance_after) == (
        "correction", Decimal(-6), Decimal(0),
    )  # fmt: skip
    with pytest.raises(Conflict, match="nothing is left"):
        any_bank.refund(added)
    any_bank.assert_sound()


def test_a_correction_takes_from_the_addition_that_it_corrects(bank: Bank) -> None:
    bank.add("10", expires_at=bank.now + DAY)
    wrong = bank.add("5").entry.id
    bank.refund(wrong, "4")
    left = {grant.transaction_id: grant.remaining for grant in bank.wallet().grants}
    assert left == {1: Decimal(10), wrong: Decimal(1)}
    bank.assert_sound()


def test_what_calls_hold_is_not_taken_back(bank: Bank) -> None:
    added = bank.add("10").entry.id
    bank.hold("4")
    with pytest.raises(InsufficientCredits, match=r"4\.00 USD are held"):
        bank.refund(added)
    assert bank.refund(added, "6").entry.balance_after == 4


def test_corrections_and_expiries_cannot_be_reversed(bank: Bank) -> None:
    correction = bank.refund(bank.add("10").entry.id).entry.id
    with pytest.raises(Conflict, match="kind correction"):
        bank.refund(correction)
    with pytest.raises(NotFound, match="no credit transaction 99"):
        bank.refund(99)


def test_a_refund_by_key_happens_once_and_only_with_the_same_content(bank: Bank) -> None:
    bank.add("10")
    taken = bank.deduct("8").entry.id
    first = bank.refund(taken, "2", key="r")
    assert bank.refund(taken, "2", key="r").entry == first.entry
    for entry, amount in ((taken, "3"), (taken, None), (1, "2")):
        with pytest.raises(Conflict, match="idempotency key 'r'"):
            bank.refund(entry, amount, key="r")
    assert bank.balance == 4


def test_what_expires_first_is_spent_first_then_the_oldest(any_bank: Bank) -> None:
    never = any_bank.add("1").entry.id
    late = any_bank.add("1", expires_at=any_bank.now + 9 * DAY).entry.id
    soon = any_bank.add("1", expires_at=any_bank.now + DAY).entry.id
    never_2 = any_bank.add("1").entry.id
    order = [soon, late, never, never_2]
    for spent in range(4):
        left = [grant.transaction_id for grant in any_bank.wallet().grants]
        assert left == order[spent:]
        any_bank.deduct("1")
    assert any_bank.balance == 0


def test_what_has_expired_cannot_be_spent_and_is_booked_out(any_bank: Bank) -> None:
    added = any_bank.add("10", expires_at=any_bank.now + DAY).entry.id
    any_bank.add("3")
    any_bank.deduct("2")
    any_bank.now += DAY - timedelta(microseconds=1)
    assert any_bank.balance == 11
    any_bank.now += timedelta(microseconds=1)
    assert any_bank.balance == 3  # before anything is booked, too
    assert len(any_bank.entries()) == 3
    with pytest.raises(InsufficientCredits):
        any_bank.deduct("3.01")
    any_bank.deduct("1")
    assert any_bank.ledger()[3:] == [("expiry", "-8"), ("deduct", "-1")]
    assert any_bank.entries()[3].reverses_id == added
    assert any_bank.balance == 2
    any_bank.now += DAY
    any_bank.deduct("1")
    assert [kind for kind, _ in any_bank.ledger()].count("expiry") == 1
    any_bank.assert_sound()


def test_credits_cannot_be_added_with_an_end_that_has_passed(bank: Bank) -> None:
    with pytest.raises(InvalidInput, match="--expires-at"):
        bank.add("1", expires_at=bank.now)
    assert bank.entries() == []


def test_a_repeat_is_one_also_after_its_credits_have_expired(bank: Bank) -> None:
    end = bank.now + DAY
    first = bank.add("1", key="k", expires_at=end)
    bank.now = end + DAY
    assert bank.add("1", key="k", expires_at=end).entry == first.entry


def test_many_small_grants_are_spent_in_one_go(bank: Bank) -> None:
    for _ in range(205):
        bank.add("0.01")
    bank.deduct("2.03")
    assert [grant.remaining for grant in bank.wallet().grants] == [Decimal("0.01")] * 2
    bank.assert_sound()
