"""What stands below a list on a terminal."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from aimeter_cli.render.footers import footer_of, plural
from aimeter_cli.render.noun import ID, MONEY, STATUS, Column, Noun

WALLET = Noun(
    "wallet",
    (Column("whose", ID), Column("balance", MONEY), Column("currency"), Column("status", STATUS)),
    totals=("balance",),
    next="aimeter credits transactions {whose}",
)


def _row(whose: str, balance: str | None, currency: str, status: str = "active") -> dict[str, Any]:
    amount = None if balance is None else Decimal(balance)
    return {"whose": whose, "balance": amount, "currency": currency, "status": status}


def test_a_footer_counts_sums_up_by_currency_and_names_the_next_command() -> None:
    rows = [
        _row("user:1", "1.5", "usd", "paused"), _row("user:2", "-0.25", "usd"),
        _row("user:3", None, "usd"), _row("user:4", "100", "jpy"),
    ]  # fmt: skip
    assert footer_of(WALLET, rows, ()) == [
        "4 wallets: 3 active, 1 paused; balance 100 JPY, 1.25 USD",
        "Next: aimeter credits transactions user:1",
    ]


def test_a_command_that_tells_the_totals_itself_keeps_its_words() -> None:
    [told, _] = footer_of(WALLET, [_row("user:1", "1", "usd")], ["1 of 7 wallets"])
    assert told == "1 of 7 wallets"


def test_large_sums_are_exact() -> None:
    rows = [_row("user:1", "9223372036.854775807", "usd"), _row("user:2", "0.000000001", "usd")]
    assert footer_of(WALLET, rows, ())[0].endswith("balance 9,223,372,036.854775808 USD")


@pytest.mark.parametrize(
    ("whose", "typed"),
    [("user:42", "user:42"), ("user:$(reboot)", "'user:$(reboot)'"), ("a b", "'a b'"),
     ("x\n; reboot", "'x\\n; reboot'"), ("'", "''\"'\"''")],
)  # fmt: skip
def test_what_comes_from_outside_is_one_word_of_the_next_command(whose: str, typed: str) -> None:
    [_, following] = footer_of(WALLET, [_row(whose, "1", "usd")], ())
    assert following == f"Next: aimeter credits transactions {typed}"


@pytest.mark.parametrize(
    ("one", "many"), [("usage", "usages"), ("delivery", "deliveries"), ("webhook event",
                                                                       "webhook events")]
)  # fmt: skip
def test_the_plural_of_a_noun(one: str, many: str) -> None:
    assert plural(one) == many
