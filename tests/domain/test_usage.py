"""A usage line is checked field by field, and normalised."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from aimeter_cli.domain.periods import iso
from aimeter_cli.domain.usage import check_not_future, content_key, usage_line
from aimeter_cli.errors import InvalidInput

NOW = datetime(2026, 11, 15, 12, tzinfo=UTC)
LINE: dict[str, Any] = {
    "billable": "user:42",
    "provider": "openai",
    "model": "gpt-4o-mini",
    "input_tokens": 100,
    "output_tokens": "20",
    "cost": "0.0021",
    "currency": "USD",
    "occurred_at": "2026-11-01T10:00:00+02:00",
}


def test_a_whole_line_is_read() -> None:
    line = usage_line(LINE)
    assert (line.billable, line.provider, line.model) == ("user:42", "openai", "gpt-4o-mini")
    assert line.tokens == (100, 0, 0, 20, 0)
    assert line.total_tokens == 120
    assert (line.cost, line.currency) == (2_100_000, "usd")
    assert line.occurred_at == datetime(2026, 11, 1, 8, tzinfo=UTC)
    assert (line.key, line.feature, line.meta) == (None, None, None)


def test_empty_cells_of_csv_are_absent_fields() -> None:
    bare = {**LINE, "feature": "", "cost": "", "currency": "", "meta": "", "idempotency_key": ""}
    line = usage_line(bare)
    assert (line.feature, line.cost, line.currency, line.meta, line.key) == (None,) * 5


def test_without_a_time_it_occurred_now_when_there_is_a_now() -> None:
    line = usage_line({**LINE, "occurred_at": None}, now=NOW)
    assert line.occurred_at == NOW


@pytest.mark.parametrize(
    "said",
    [
        "2026-10-31T12:00:00Z",
        "2026-W44-6T12:00:00Z",
        "2026-10-31 12:00:00Z",
        "20261031T12:00:00.5Z",
        "2026-10-31T14:00:00.000+02:00",
    ],
)
def test_a_time_in_any_iso_form_is_written_in_ours(said: str) -> None:
    line = usage_line({**LINE, "occurred_at": said})
    assert line.stamp == iso(line.occurred_at)
    assert line.stamp[:20].rstrip(".Z") == "2026-10-31T12:00:00"


@pytest.mark.parametrize(
    ("cost", "nanos"),
    [(Decimal("0.5"), 500_000_000), (1, 10**9), ("0.0000000005", 0), ("1.5e-7", 150)],
)
def test_costs_are_decimals_of_any_writing(cost: object, nanos: int) -> None:
    assert usage_line({**LINE, "cost": cost}).cost == nanos


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"tokens": 1},
            (
                "unknown field 'tokens': expected billable, provider, model, feature, "
                "input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, "
                "reasoning_tokens, cost, currency, idempotency_key, occurred_at, meta"
            ),
        ),
        ({"billable": 42}, "billable: required, TYPE:ID such as user:42"),
        ({"billable": "42"}, "'42' is not a billable: expected TYPE:ID, such as user:42"),
        ({"provider": ""}, "provider: required, such as openai"),
        ({"model": None}, "model: required, such as gpt-4o-mini"),
        ({"model": 3}, "model: expected text, got 3"),
        ({"model": "x" * 201}, "model: longer than 200 characters"),
        ({"feature": "a\x1b[1m"}, "feature: contains control characters"),
        ({"input_tokens": -1}, "input_tokens: expected 0 to 1000000000000, got -1"),
        ({"input_tokens": "1.5"}, "input_tokens: expected a whole number, got '1.5'"),
        ({"input_tokens": 1.5}, "input_tokens: expected a whole number, got 1.5"),
        ({"input_tokens": True}, "input_tokens: expected a whole number, got True"),
        (
            {"input_tokens": "9" * 30},
            "input_tokens: expected 0 to 1000000000000, got 1000000000001",
        ),
        ({"cost": 0.0021}, "cost: expected a decimal number such as '0.0021', got 0.0021"),
        ({"cost": "-1"}, "cost: cannot be negative, got -1"),
        ({"cost": "NaN"}, "cost: 'NaN' is not a decimal number such as 12.50"),
        ({"cost": "x"}, "cost: 'x' is not a decimal number such as 12.50"),
        (
            {"currency": "zzz"},
            ("unknown currency 'zzz': expected a three-letter ISO 4217 code such as usd or eur"),
        ),
        ({"occurred_at": None}, "occurred_at: required in imports, such as 2026-10-31T12:00:00Z"),
        ({"occurred_at": 5}, "occurred_at: expected an ISO 8601 text, got 5"),
        (
            {"occurred_at": datetime.fromisoformat("2026-01-01T00:00:00")},
            "occurred_at: has no time zone: pass an aware datetime",
        ),
        ({"meta": "[1]"}, "meta: expected an object, got [1]"),
        ({"meta": "{"}, "meta: expected a JSON object"),
    ],
)
def test_a_bad_field_is_named_with_what_was_expected(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        usage_line({**LINE, **change})
    assert caught.value.message == message


def test_the_same_content_has_the_same_fingerprint_however_it_is_written() -> None:
    other = {
        **LINE,
        "cost": Decimal("0.00210"),
        "currency": "usd",
        "occurred_at": "2026-11-01T08:00:00Z",
        "output_tokens": 20,
        "meta": None,
    }
    assert usage_line(LINE).fingerprint == usage_line(other).fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"input_tokens": 101},
        {"cost": "0.0022"},
        {"feature": "x"},
        {"meta": {"a": 1}},
        {"billable": "user:43"},
        {"occurred_at": "2026-11-01T10:00:01+02:00"},
    ],
)
def test_other_content_has_another_fingerprint(change: dict[str, Any]) -> None:
    assert usage_line(LINE).fingerprint != usage_line({**LINE, **change}).fingerprint


def test_meta_is_the_same_as_text_and_as_an_object() -> None:
    text = usage_line({**LINE, "meta": '{"b": 1, "a": "ü"}'})
    assert (
        text.meta == usage_line({**LINE, "meta": {"a": "ü", "b": 1}}).meta == '{"a": "ü", "b": 1}'
    )


def test_equal_lines_of_a_file_have_keys_of_their_own() -> None:
    assert content_key("f", 0) != content_key("f", 1)


def test_a_usage_lies_at_most_five_minutes_ahead() -> None:
    check_not_future(NOW + timedelta(minutes=5), NOW)
    with pytest.raises(InvalidInput, match="lies in the future"):
        check_not_future(NOW + timedelta(minutes=5, microseconds=1), NOW)
