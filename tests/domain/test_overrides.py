"""Limit overrides: which one holds, and what it makes of the plan's limits."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimeter_cli.domain.overrides import Override, override_at, override_status
from aimeter_cli.domain.quota import Terms, Totals, charge

NOV = [datetime(2026, 11, day, tzinfo=UTC) for day in range(1, 31)]
PLAN = Terms(1000, 5 * 10**9, 10, 20_000_000, Decimal("1.5"), "charge")


@pytest.mark.parametrize(
    ("override", "limits"),
    [
        (Override(NOV[0], NOV[9]), (1000, 5 * 10**9, 10)),
        (Override(NOV[0], NOV[9], token_limit=7), (7, 5 * 10**9, 10)),
        (Override(NOV[0], NOV[9], token_limit=0, request_limit=0), (0, 5 * 10**9, 0)),
        (Override(NOV[0], NOV[9], lifts_tokens=True, cost_limit=3), (None, 3, 10)),
        (Override(NOV[0], NOV[9], lifts_cost=True, lifts_requests=True), (1000, None, None)),
    ],
)
def test_an_omitted_limit_is_the_plans_and_a_lifted_one_is_unlimited(
    override: Override, limits: tuple[int | None, ...]
) -> None:
    terms = override.applied(PLAN)
    assert (terms.token_limit, terms.cost_limit, terms.request_limit) == limits
    assert terms.price_per_1k == PLAN.price_per_1k
    assert (terms.markup, terms.behavior) == (PLAN.markup, PLAN.behavior)


def test_an_override_holds_from_its_start_until_before_its_end() -> None:
    first, second = Override(NOV[0], NOV[9]), Override(NOV[9], NOV[19])
    found = [override_at([first, second], NOV[day]) for day in (0, 8, 9, 18, 19)]
    assert found == [first, first, second, second, None]
    assert [override_status(NOV[5], NOV[9], NOV[day]) for day in (4, 5, 8, 9)] == [
        "scheduled", "running", "running", "ended",
    ]  # fmt: skip


LIMIT = st.none() | st.integers(0, 5000)
OVERRIDES = st.builds(
    Override, st.just(NOV[0]), st.just(NOV[9]), LIMIT, LIMIT, LIMIT,
    st.booleans(), st.booleans(), st.booleans(),
)  # fmt: skip
PLANS = st.builds(
    Terms, LIMIT, LIMIT, LIMIT, st.none() | st.integers(0, 10**9), st.just(Decimal("1.25")),
    st.just("charge"),
)  # fmt: skip
USES = st.lists(
    st.tuples(st.integers(0, 3000), st.integers(0, 3000), st.none() | OVERRIDES), max_size=10
)


@given(PLANS, USES)
def test_no_change_of_limits_takes_back_what_was_charged(
    plan: Terms, uses: list[tuple[int, int, Override | None]]
) -> None:
    totals = Totals()
    for tokens, cost, override in uses:
        terms = plan if override is None else override.applied(plan)
        after = totals.plus(terms, tokens, cost)
        assert charge(terms, after) >= charge(terms, totals)
        totals = after
