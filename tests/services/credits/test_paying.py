"""Usages in credits mode: paid oldest first, each once, in the wallet's currency."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import event
from sqlmodel import select

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.pricing import NO_PRICES
from aimeter_cli.domain.rates import Rate
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.models.usages import Usage
from aimeter_cli.services.rates import set_rates
from aimeter_cli.services.recording.record import Recorder
from tests.support.credits import Bank, credit_line

EVE = BillableRef("user", "7")
DAY = timedelta(days=1)


def states(bank: Bank) -> list[str]:
    with bank.database.read() as session:
        return list(session.exec(select(Usage.state).order_by(Usage.id)))  # type: ignore[arg-type]


def usage(bank: Bank, number: int) -> Usage:
    with bank.database.read() as session:
        return session.exec(select(Usage).where(Usage.id == number)).one()


def test_a_usage_is_paid_as_it_is_recorded(any_bank: Bank) -> None:
    any_bank.add("10")
    done = any_bank.use("3", idempotency_key="a")
    assert (done.state, done.cost) == ("priced", 3 * 10**9)
    paid = any_bank.entries()[1]
    assert (paid.kind, paid.amount, paid.usage_id, paid.idempotency_key) == (
        "usage", Decimal(-3), 1, "usage:1",
    )  # fmt: skip
    row = usage(any_bank, 1)
    assert (row.plan_cost, row.exchange, row.counter_id) == (Decimal(3), None, None)
    any_bank.assert_sound()


def test_without_a_wallet_a_usage_is_unpaid_until_the_first_credits_come(any_bank: Bank) -> None:
    assert any_bank.use("3").state == "unpaid"
    standing = any_bank.standing()
    assert (standing.has_unpaid, standing.has_wallet, standing.room) == (True, False, 0)
    done = any_bank.add("5")
    assert (done.paid, done.standing.balance, done.standing.has_unpaid) == (1, 2 * 10**9, False)
    assert states(any_bank) == ["priced"]
    any_bank.assert_sound()


def test_a_usage_dearer_than_what_is_left_waits_and_later_ones_wait_behind_it(
    any_bank: Bank,
) -> None:
    any_bank.add("5")
    assert any_bank.use("7").state == "unpaid"
    assert any_bank.use("1").state == "unpaid"
    assert any_bank.use("2").state == "unpaid"
    assert any_bank.balance == 5
    assert any_bank.add("2.5").paid == 1
    assert states(any_bank) == ["priced", "unpaid", "unpaid"]
    assert any_bank.add("0.5").paid == 1
    assert any_bank.add("10").paid == 1
    assert any_bank.ledger() == [
        ("add", "5"), ("add", "2.5"), ("usage", "-7"), ("add", "0.5"), ("usage", "-1"),
        ("add", "10"), ("usage", "-2"),
    ]  # fmt: skip
    any_bank.assert_sound()


def test_a_refund_pays_what_waits(bank: Bank) -> None:
    bank.add("5")
    fee = bank.deduct("4").entry.id
    assert bank.use("3").state == "unpaid"
    assert bank.refund(fee).paid == 1
    assert (states(bank), bank.balance) == (["priced"], Decimal(2))


def test_a_refunded_usage_stays_paid_once(bank: Bank) -> None:
    bank.add("5")
    bank.use("3")
    [paid] = [entry for entry in bank.entries() if entry.kind == "usage"]
    back = bank.refund(paid.id)
    assert (back.entry.kind, back.entry.usage_id, bank.balance) == ("refund", 1, Decimal(5))
    assert states(bank) == ["priced"]
    bank.assert_sound()


def test_a_repeated_usage_is_not_paid_again(any_bank: Bank) -> None:
    any_bank.add("10")
    any_bank.use("3", idempotency_key="a")
    again = any_bank.use("3", idempotency_key="a")
    assert (again.is_new, again.state) == (False, "priced")
    assert any_bank.balance == 7


def test_an_overdraft_pays_as_far_as_it_goes(any_bank: Bank) -> None:
    any_bank.settings = replace(any_bank.settings, credit_overdraft=Decimal(5))
    any_bank.add("1")
    assert any_bank.use("6").state == "priced"
    assert any_bank.use("0.000000001").state == "unpaid"
    assert any_bank.balance == -5
    any_bank.assert_sound()


def test_a_batch_pays_the_usages_of_all_its_billables(any_bank: Bank) -> None:
    any_bank.add("10")
    any_bank.add("1", ref=EVE)
    lines = [credit_line("2", billable=who) for who in ("user:42", "user:7") * 2]
    Recorder(any_bank.database, any_bank.settings, NO_PRICES).record(lines, now=any_bank.now)
    assert states(any_bank) == ["priced", "unpaid", "priced", "unpaid"]
    assert (any_bank.balance, any_bank.wallet(EVE).balance) == (Decimal(6), Decimal(1))
    any_bank.assert_sound()


def test_a_cost_is_paid_in_the_wallets_currency_at_the_rate_of_its_time(any_bank: Bank) -> None:
    old, new = any_bank.now - 6 * DAY, any_bank.now - 2 * DAY
    rates = [Rate("gbp", "usd", Decimal(2), old, "t"), Rate("gbp", "usd", Decimal(3), new, "t")]
    set_rates(any_bank.database, rates, now=any_bank.now)
    any_bank.add("10")
    any_bank.use("1.5", currency="gbp", occurred_at=any_bank.now - 3 * DAY)
    row = usage(any_bank, 1)
    assert (row.cost, row.currency, row.plan_cost) == (Decimal("1.5"), "gbp", Decimal(3))
    assert row.exchange == "gbp/usd 2 (t 2026-11-09)"
    assert any_bank.balance == 7
    any_bank.assert_sound()


def test_without_a_rate_a_usage_waits_with_what_comes_after_it_until_there_is_one(
    any_bank: Bank,
) -> None:
    any_bank.add("10")
    assert any_bank.use("1", currency="gbp").state == "unpaid"
    assert any_bank.use("1").state == "unpaid"
    assert any_bank.wallet().waits_for == "usage 1: no rate from gbp to usd"
    assert not any_bank.standing().allows_a_call
    set_rates(any_bank.database, [Rate("gbp", "usd", Decimal(2), any_bank.now - DAY, "t")],
              now=any_bank.now)  # fmt: skip
    assert any_bank.standing().allows_a_call
    assert any_bank.use("1").state == "priced"
    assert states(any_bank) == ["priced"] * 3
    assert any_bank.balance == 6


def test_an_absurd_cost_waits_and_does_not_stop_the_recording(bank: Bank) -> None:
    bank.settings = replace(bank.settings, currency_rates={"kwd_usd": Decimal(10**9)},
                            credit_overdraft=True)  # fmt: skip
    bank.add("1")
    assert bank.use("9000000000", currency="kwd").state == "unpaid"
    assert bank.use("1").state == "unpaid"


def test_the_wallet_says_what_is_unpaid_and_why(bank: Bank) -> None:
    bank.add("1")
    bank.use("2")
    bank.use("3")
    bank.use("4", currency="eur")
    view = bank.wallet()
    unpaid = [(each.usages, each.cost, each.currency) for each in view.unpaid]
    assert unpaid == [(1, Decimal(4), "eur"), (2, Decimal(5), "usd")]
    assert view.waits_for == "usage 1, 2.00 USD: more than is available"


def test_what_has_expired_pays_nothing(any_bank: Bank) -> None:
    any_bank.add("10", expires_at=any_bank.now + DAY)
    any_bank.now += DAY
    assert any_bank.use("1").state == "unpaid"
    assert any_bank.ledger() == [("add", "10"), ("expiry", "-10")]


def test_a_long_queue_is_paid_in_its_order(bank: Bank) -> None:
    lines = [credit_line("1", idempotency_key=f"k{n}") for n in range(700)]
    Recorder(bank.database, bank.settings, NO_PRICES).record(lines, now=bank.now)
    assert bank.add("600").paid == 600
    assert states(bank) == ["priced"] * 600 + ["unpaid"] * 100
    paid = [entry.usage_id for entry in bank.entries() if entry.kind == "usage"]
    assert paid == list(range(1, 601))
    bank.assert_sound()


@pytest.fixture
def statements(bank: Bank) -> Iterator[list[str]]:
    """What is sent to the database."""
    seen: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(bank.database.engine, "before_cursor_execute", note)
    yield seen
    event.remove(bank.database.engine, "before_cursor_execute", note)


def test_paying_costs_as_many_statements_after_a_long_history_as_at_first(
    bank: Bank, statements: list[str]
) -> None:
    bank.add("1000")
    counts = []
    for _ in range(2):
        statements.clear()
        bank.use("0.01")
        counts.append(len(statements))
        lines = [credit_line("0.01") for _ in range(300)]
        Recorder(bank.database, bank.settings, NO_PRICES).record(lines, now=bank.now)
    assert counts[0] == counts[1]


PLANNED = ("ix_usage_unpaid", "ix_grant_left", "ix_hold_open", "uq_wallet_billable")


def test_what_a_check_reads_is_read_by_indexes(bank: Bank, statements: list[str]) -> None:
    bank.add("1")
    statements.clear()
    bank.standing()
    [asked] = [text for text in statements if "has_unpaid" in text]
    with bank.database.read() as session:
        values = tuple("2026-11-15" for _ in range(asked.count("?")))
        plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {asked}", values)
        told = " ".join(str(row[3]) for row in plan)
    assert "SCAN ai" not in told
    for index in PLANNED:
        assert index in told


def test_what_paying_reads_is_read_by_an_index(bank: Bank, statements: list[str]) -> None:
    bank.add("1")
    statements.clear()
    bank.use("0.5")
    for table, index in (("ai_usages", "ix_usage_unpaid"), ("ai_credit_grants", "ix_grant_left")):
        [asked] = [
            text for text in statements
            if f"FROM {table}" in text and text.startswith("SELECT") and "LIMIT" in text
        ]  # fmt: skip
        with bank.database.read() as session:
            values = tuple(1 for _ in range(asked.count("?")))
            plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {asked}", values)
            assert index in " ".join(str(row[3]) for row in plan)


def test_events_tell_each_movement_once_it_is_true(bank: Bank) -> None:
    told: list[Any] = []
    bank.database.after_commit = told.extend
    bank.add("5", reason="gift")
    bank.use("2")
    bank.add("1", dry_run=True)
    moved = [each for each in told if each.name.startswith("Credits")]
    assert [(each.name, each.payload) for each in moved] == [
        ("CreditsAdded", {
            "billable": "user:42", "kind": "add", "amount": "5.000000000", "currency": "usd",
            "balance": "5.000000000", "transaction_id": 1, "usage_id": None, "reason": "gift",
        }),
        ("CreditsDeducted", {
            "billable": "user:42", "kind": "usage", "amount": "2.000000000", "currency": "usd",
            "balance": "3.000000000", "transaction_id": 2, "usage_id": 1, "reason": None,
        }),
    ]  # fmt: skip
    assert stored(bank.database) == ["CreditsAdded", "CreditsDeducted"]


def stored(database: Database) -> list[str]:
    from aimeter_cli.models.domain_events import DomainEvent

    with database.read() as session:
        rows = session.exec(select(DomainEvent).order_by(DomainEvent.id))  # type: ignore[arg-type]
        return [row.name for row in rows if row.name.startswith("Credits")]


def test_a_usage_of_the_past_is_paid_by_what_is_there_now(bank: Bank) -> None:
    """``now`` decides what has expired, not when the usage occurred."""
    bank.add("5", expires_at=datetime(2026, 11, 15, 13, tzinfo=UTC))
    bank.now = datetime(2026, 11, 15, 14, tzinfo=UTC)
    assert bank.use("1", occurred_at="2026-11-15T12:30:00Z").state == "unpaid"
