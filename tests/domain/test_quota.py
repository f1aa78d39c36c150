"""Limits, excess and the charge of a period."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimeter_cli.domain.quota import Terms, Totals, charge

NANO = 10**9
USD = NANO  # one dollar in nanos


def terms(**given: object) -> Terms:
    base = {
        "token_limit": None, "cost_limit": None, "request_limit": None, "price_per_1k": None,
        "markup": Decimal(1), "behavior": "charge",
    }  # fmt: skip
    return Terms(**(base | given))  # type: ignore[arg-type]


def after(rules: Terms, *usages: tuple[int, int]) -> Totals:
    totals = Totals()
    for tokens, cost in usages:
        totals = totals.plus(rules, tokens, cost)
    return totals


@pytest.mark.parametrize(
    ("rules", "usages", "nanos"),
    [
        # A 10,000-token call at 900 of 1,000: only the 9,900 beyond are charged (pitfall 11).
        (terms(token_limit=1000, price_per_1k=20_000_000), [(900, 0), (10_000, 0)], 198_000_000),
        # The price per 1,000 tokens is a price (pitfall 12), whatever the calls cost.
        (terms(token_limit=0, price_per_1k=20_000_000), [(500, 7 * USD)], 10_000_000),
        (terms(token_limit=0, price_per_1k=0), [(500, 7 * USD)], 0),
        # Without a token price, the excess tokens cost their share of their usage's cost.
        (terms(token_limit=1000), [(500, USD), (1000, 2 * USD)], USD),
        (terms(token_limit=1000, markup=Decimal("1.25")), [(2000, 2 * USD)], 1_250_000_000),
        (terms(cost_limit=5 * USD), [(1, 4 * USD), (1, 3 * USD)], 2 * USD),
        (terms(cost_limit=5 * USD, markup=Decimal("1.5")), [(1, 7 * USD)], 3 * USD),
        (terms(request_limit=2), [(1, USD), (1, USD), (1, 5 * USD)], 5 * USD),
        # The largest of the three, not their sum.
        (
            terms(token_limit=0, price_per_1k=1000 * USD, cost_limit=0, request_limit=0),
            [(2, USD)],
            2 * USD,
        ),
        # No limit, no charge; a limit of zero covers nothing.
        (terms(), [(10**9, 10**6 * USD)], 0),
        (terms(cost_limit=0), [(0, 3)], 3),
        # Exactly at the limit is covered.
        (terms(token_limit=1000, price_per_1k=20_000_000), [(1000, 0)], 0),
    ],
)
def test_only_what_lies_beyond_the_plan_is_charged(
    rules: Terms, usages: list[tuple[int, int]], nanos: int
) -> None:
    assert charge(rules, after(rules, *usages)) == nanos


RULES = st.builds(
    terms,
    token_limit=st.none() | st.integers(0, 5000),
    cost_limit=st.none() | st.integers(0, 10 * USD),
    request_limit=st.none() | st.integers(0, 5),
    price_per_1k=st.none() | st.integers(0, USD),
    markup=st.decimals("0", "3", places=2),
)
USAGES = st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 2 * USD)), max_size=8)


@given(RULES, USAGES)
def test_increases_add_up_to_the_charge_of_the_period(
    rules: Terms, usages: list[tuple[int, int]]
) -> None:
    totals, increases = Totals(), []
    for tokens, cost in usages:
        new = totals.plus(rules, tokens, cost)
        increases.append(charge(rules, new) - charge(rules, totals))
        totals = new
    assert sum(increases) == charge(rules, totals)
    assert all(increase >= 0 for increase in increases)


@given(
    st.integers(0, 5000), st.integers(0, USD), USAGES.flatmap(lambda u: st.tuples(
        st.just(u), st.permutations(u)))
)  # fmt: skip
def test_with_a_token_price_the_order_of_usages_does_not_matter(
    limit: int, price: int, orders: tuple[list[tuple[int, int]], list[tuple[int, int]]]
) -> None:
    rules = terms(token_limit=limit, price_per_1k=price, cost_limit=USD)
    first, second = (charge(rules, after(rules, *usages)) for usages in orders)
    assert first == second


@pytest.mark.parametrize(
    ("rules", "tokens", "reaches", "exceeds"),
    [
        (terms(token_limit=10), 9, False, False),
        (terms(token_limit=10), 10, True, False),
        (terms(token_limit=10), 11, True, True),
        (terms(token_limit=0), 0, True, False),
        (terms(), 10**12, False, False),
    ],
)
def test_a_limit_is_reached_before_it_is_exceeded(
    rules: Terms, tokens: int, reaches: bool, exceeds: bool
) -> None:
    totals = after(rules, (tokens, 0))
    assert (totals.reaches(rules), totals.exceeds(rules)) == (reaches, exceeds)
