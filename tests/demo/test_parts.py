"""The parts of the demo that decide whether it may say that everything held."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.demo.checks import check, check_sums
from tests.demo.stripe_side import invoice_table, money
from tests.demo.terminal import Failed
from tests.demo.usage_file import write_usage

_MONTH = {"start": datetime(2026, 10, 1, tzinfo=UTC), "end": datetime(2026, 11, 1, tzinfo=UTC)}


def item(amount: int, billable: str = "user:42", currency: str = "usd") -> dict[str, Any]:
    return {
        "amount": amount,
        "currency": currency,
        "metadata": {"aimeter_billable": billable},
    }


def overage(amount: str, billable: str = "user:42", currency: str = "usd") -> dict[str, Any]:
    return {"billable": billable, "charge_amount": amount, "charge_currency": currency}


def test_the_usage_file_is_the_same_at_every_run(tmp_path: Path) -> None:
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    written = write_usage(first, calls=400, seed=1, **_MONTH)
    assert write_usage(second, calls=400, seed=1, **_MONTH) == written
    assert first.read_text() == second.read_text()


def test_the_usage_file_tells_how_many_lines_repeat_earlier_ones(tmp_path: Path) -> None:
    file = tmp_path / "usage.jsonl"
    written = write_usage(file, calls=2000, seed=1, **_MONTH)
    lines = file.read_text().splitlines()
    keys = [json.loads(line).get("idempotency_key") for line in lines]
    keyed = [key for key in keys if key is not None]
    assert written.lines == len(lines)
    assert 0 < written.repeated == len(keyed) - len(set(keyed))


def test_sums_are_rounded_down_once_per_billable_and_currency() -> None:
    items = [item(101), item(5, "user:7", "jpy")]
    overages = [overage("0.505"), overage("0.509"), overage("5.9", "user:7", "jpy")]
    assert check_sums(items, overages) == (
        "2 invoice items at Stripe come to 5 JPY, 1.01 USD: exactly what the overages say."
    )


@pytest.mark.parametrize("amount", [100, 102])
def test_a_cent_too_many_or_too_few_fails_the_demo(amount: int) -> None:
    with pytest.raises(Failed, match="what the overages come to"):
        check_sums([item(amount)], [overage("1.014")])


def test_an_item_without_overages_fails_the_demo() -> None:
    with pytest.raises(Failed):
        check_sums([item(1, "user:7")], [])


def test_what_does_not_hold_is_told() -> None:
    with pytest.raises(Failed, match="does not: the sky is green"):
        check(False, "the sky is green")


@pytest.mark.parametrize(
    ("minor", "currency", "text"), [(5, "usd", "0.05 USD"), (5323, "jpy", "5323 JPY")]
)
def test_minor_units_are_told_as_people_write_them(minor: int, currency: str, text: str) -> None:
    assert money(minor, currency) == text


def test_an_invoice_is_told_line_by_line() -> None:
    period = {"start": int(_MONTH["start"].timestamp()), "end": int(_MONTH["end"].timestamp())}
    line = {"description": "Pro", "period": period, "amount": 880, "currency": "usd"}
    table = invoice_table(
        {"id": "in_1", "customer_name": "Ada", "status": "open", "total": 880, "currency": "usd",
         "lines": {"data": [line]}}
    )  # fmt: skip
    assert table.splitlines() == [
        "in_1  Ada  open",
        "─" * 40,
        "Pro    2026-10-01 – 2026-11-01  8.80 USD",
        "─" * 40,
        "Total                           8.80 USD",
    ]
