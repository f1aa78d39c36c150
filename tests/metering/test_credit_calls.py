"""Calls that a wallet pays: held while they run, paid when they are recorded."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from aimeter_cli import InsufficientCredits, events
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.metering.meter import AiMeter
from aimeter_cli.services.credits.changes import add
from aimeter_cli.services.credits.reading import wallet
from tests.conftest import NOW
from tests.metering.conftest import Make, chat
from tests.metering.test_meter import rows, usages

USER = BillableRef("user", "42")
PRICES = {"openai": {"gpt-4o-mini": {"input_per_1m": "1000", "output_per_1m": "1000"}}}
"""A tenth of a cent for each token."""


def top_up(meter: AiMeter, amount: str) -> None:
    here = meter._ready()
    add(here.database, here.settings, USER, Decimal(amount), now=NOW)


def balance(meter: AiMeter) -> Decimal:
    here = meter._ready()
    return wallet(here.database, here.settings, USER, now=NOW).balance


@pytest.fixture
def prepaid(make: Make) -> Callable[..., AiMeter]:
    """``prepaid("1.00")``: a meter whose billable has so much, and a plan of 10 tokens."""

    def build(amount: str, **settings: Any) -> AiMeter:
        meter = make({"prices": PRICES, **settings}, token_limit=10).billing_mode("credits")
        top_up(meter, amount)
        return meter

    return build


def test_a_call_is_paid_from_the_wallet_and_plan_limits_do_not_apply(prepaid: Any) -> None:
    meter = prepaid("1.00")
    got = meter.call(lambda: chat(100, 50))
    assert (got.usage.state, got.usage.cost, got.usage.charge) == ("priced", Decimal("0.15"), 0)
    assert balance(meter) == Decimal("0.85")
    assert got.limit_check.remaining_cost == Decimal("0.85")
    assert got.remaining_tokens is None
    assert rows(meter, "SELECT COUNT(*) FROM ai_usage_counters") == [(0,)]


def test_nothing_left_refuses_the_call_with_the_figures(prepaid: Any) -> None:
    meter = prepaid("0.15")
    meter.call(lambda: chat(100, 50))
    with pytest.raises(InsufficientCredits) as caught:
        meter.call(lambda: pytest.fail("it was called"))
    assert (caught.value.available, caught.value.currency) == (Decimal(0), "usd")


def test_an_estimate_is_held_while_the_call_runs(prepaid: Any) -> None:
    meter = prepaid("1.00").estimate(cost="0.60")

    def inside() -> dict[str, Any]:
        with pytest.raises(InsufficientCredits):
            meter.call(lambda: pytest.fail("it was called"))
        return chat(100, 100)

    meter.call(inside)
    assert balance(meter) == Decimal("0.80")
    assert meter.check().allowed is True  # the hold is closed


def test_a_failed_call_gives_its_hold_back(prepaid: Any) -> None:
    meter = prepaid("1.00").estimate(cost="1.00")

    def fails() -> None:
        raise RuntimeError

    for _ in range(2):
        with pytest.raises(RuntimeError):
            meter.call(fails)
    assert meter.check().allowed is True


def test_a_repeated_key_gives_its_hold_back(prepaid: Any) -> None:
    meter = prepaid("1.00").estimate(cost="0.50").with_idempotency_key("k")
    for _ in range(4):
        meter.call(lambda: chat(50, 50))
    assert balance(meter) == Decimal("0.90")
    assert meter.check().remaining_cost == Decimal("0.90")


def test_a_usage_dearer_than_what_is_left_waits_for_the_next_top_up(prepaid: Any) -> None:
    meter = prepaid("0.10")
    first = meter.call(lambda: chat(300, 0))
    assert first.usage.state == "unpaid"
    assert balance(meter) == Decimal("0.10")
    with pytest.raises(InsufficientCredits):
        meter.call(lambda: pytest.fail("it was called"))
    meter.with_manual_usage(input_tokens=50).record()  # waits behind the first
    assert rows(meter, "SELECT state FROM ai_usages ORDER BY id") == [("unpaid",), ("unpaid",)]
    top_up(meter, "0.25")
    assert rows(meter, "SELECT state FROM ai_usages ORDER BY id") == [("priced",), ("priced",)]
    assert balance(meter) == 0


def test_listeners_hear_of_the_usage_and_the_deduction(prepaid: Any) -> None:
    meter = prepaid("1.00")
    heard: list[Any] = []
    with (
        events.listening(events.UsageRecorded, heard.append),
        events.listening(events.CreditsDeducted, heard.append),
    ):
        meter.with_idempotency_key("k").call(lambda: chat(100, 50))
        meter.with_idempotency_key("k").call(lambda: chat(100, 50))
    assert sorted(type(each).__name__ for each in heard) == ["CreditsDeducted", "UsageRecorded"]
    assert usages(meter) == 1
