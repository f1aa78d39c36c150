"""Credits: what a spending takes, what a top-up leaves, what a wallet covers."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimeter_cli.domain.credits import (
    Grant,
    InsufficientCredits,
    Lot,
    Standing,
    covered,
    given_back,
    overdraft_nanos,
    remaining_of_new,
    split,
    take,
)  # fmt: skip
from aimeter_cli.domain.money import MAX_NANOS

AMOUNTS = st.integers(1, 10**18)
EURO = 10**9


@given(st.lists(AMOUNTS, max_size=6), AMOUNTS)
def test_what_grants_lose_and_what_none_covers_is_what_was_spent(
    sizes: list[int], amount: int
) -> None:
    grants = [Grant(n, n, size) for n, size in enumerate(sizes)]
    after, rest = take(grants, amount)
    lost = sum(grant.remaining - after.get(grant.id, grant.remaining) for grant in grants)
    assert lost + rest == amount
    assert rest == max(0, amount - sum(sizes))
    assert all(left >= 0 for left in after.values())


def test_a_later_grant_is_touched_only_when_the_earlier_ones_are_empty() -> None:
    grants = [Grant(7, 1, 5), Grant(3, 2, 5), Grant(9, 3, 5)]
    assert take(grants, 7) == ({7: 0, 3: 3}, 0)
    assert take(grants, 5) == ({7: 0}, 0)


SOON, LATE = datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("amounts", "spent"),
    [
        ([2, 3], [[Lot(2, SOON)], [Lot(1, SOON), Lot(2, LATE)]]),
        ([7, 4], [[Lot(3, SOON), Lot(4, LATE)], []]),
        ([0, 7], [[], [Lot(3, SOON), Lot(4, LATE)]]),
    ],
)
def test_each_of_several_amounts_knows_the_lots_that_it_spent(
    amounts: list[int], spent: list[list[Lot]]
) -> None:
    assert split([Lot(3, SOON), Lot(4, LATE)], amounts) == spent


@pytest.mark.parametrize(
    ("undone", "amount", "back"),
    [
        (0, 10, [Lot(3, SOON), Lot(4, LATE), Lot(3, None)]),
        (0, 2, [Lot(2, None)]),
        (2, 3, [Lot(2, LATE), Lot(1, None)]),
        (5, 5, [Lot(3, SOON), Lot(2, LATE)]),
    ],
)
def test_what_was_spent_last_comes_back_first(undone: int, amount: int, back: list[Lot]) -> None:
    assert given_back([Lot(3, SOON), Lot(4, LATE)], 10, undone, amount) == back


@pytest.mark.parametrize(
    ("balance", "amount", "remaining"),
    [(0, 10, 10), (5, 10, 10), (-4, 10, 6), (-10, 10, 0), (-25, 10, 0)],
)
def test_a_debt_is_paid_before_anything_is_left(balance: int, amount: int, remaining: int) -> None:
    assert remaining_of_new(balance, amount) == remaining


@pytest.mark.parametrize(
    ("costs", "room", "count"),
    [
        ([], 5, 0), ([5], 5, 1), ([6], 5, 0), ([2, 3], 5, 2), ([2, 4, 1], 5, 1),
        ([1, None, 1], 5, 1), ([0, 0], 0, 2),
    ],
)  # fmt: skip
def test_payment_stops_at_the_first_that_is_not_covered(
    costs: list[int | None], room: int, count: int
) -> None:
    assert covered(costs, room) == count


@pytest.mark.parametrize(
    ("setting", "nanos"), [(False, 0), (True, None), (Decimal("2.5"), 2_500_000_000)]
)
def test_the_setting_of_the_overdraft(setting: bool | Decimal, nanos: int | None) -> None:
    assert overdraft_nanos(setting) == nanos


def test_available_is_the_balance_less_holds_plus_overdraft() -> None:
    assert Standing("user:1", "usd", 10, 4, 3).available == 9
    assert Standing("user:1", "usd", 10, 4, None).available is None
    assert Standing("user:1", "usd", 10, 4, None).covers(MAX_NANOS)
    assert Standing("user:1", "usd", 0, 0, None, has_wallet=False).available == 0


def test_a_call_may_begin_while_something_is_available_and_nothing_unpaid() -> None:
    assert Standing("user:1", "usd", 1).allows_a_call
    assert not Standing("user:1", "usd", 0).allows_a_call
    assert not Standing("user:1", "usd", 1, has_unpaid=True).allows_a_call


def test_the_refusal_carries_the_figures() -> None:
    standing = Standing("user:1", "eur", 3 * EURO, EURO, 2 * EURO)
    error = InsufficientCredits(standing, 5 * EURO)
    assert (error.billable, error.currency, error.exit_code) == ("user:1", "eur", 1)
    figures = (error.needed, error.balance, error.held, error.available)
    assert figures == tuple(map(Decimal, (5, 3, 1, 4)))
    assert error.message == (
        "user:1 has 4.00 EUR of credits available (1.00 EUR are held), 5.00 EUR are needed"
    )
    behind = InsufficientCredits(Standing("user:1", "eur", 9, has_unpaid=True), 5)
    assert behind.message == "user:1 has usages that are not paid yet"
