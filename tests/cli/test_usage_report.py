"""``aimeter usage report`` from outside."""

from __future__ import annotations

import pytest

from tests.conftest import Cli

AT = ("--as-of", "2026-11-15T12:00:00Z")
SUMS = [
    "requests", "input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens",
    "reasoning_tokens", "tokens", "cost", "currency", "charge", "charge_currency", "unpriced",
    "others",
]  # fmt: skip


@pytest.fixture
def used(cli: Cli) -> None:
    """Two models in dollars, one in euros."""
    for model, cost, currency in (("gpt", "1", "usd"), ("mini", "0.25", "usd"), ("m", "2", "eur")):
        cli(
            "usage", "record", "--billable", "user:42", "--provider", "openai", "--model", model,
            "--input-tokens", "1,000", "--cost", cost, "--currency", currency, *AT,
        )  # fmt: skip


def test_a_pipe_gets_plain_columns_without_bars(cli: Cli, used: None) -> None:
    shown = cli("usage", "report", "--month", "2026-11")
    assert (shown.code, shown.err) == (0, "")
    assert shown.out == (
        "Provider    Model      Requests    Input    Tokens      Cost\n"
        "openai      m                 1    1,000     1,000  2.00 EUR\n"
        "openai      gpt               1    1,000     1,000  1.00 USD\n"
        "openai      mini              1    1,000     1,000  0.25 USD\n"
        "\n"
        "Total from 2026-11-01T00:00:00Z to 2026-12-01T00:00:00Z\n"
        "  Requests    Tokens      Cost    Charge    Unpriced\n"
        "         1     1,000  2.00 EUR  0.00 EUR           0\n"
        "         2     2,000  1.25 USD  0.00 USD           0\n"
    )
    assert "█" not in cli("usage", "report", *AT, "--format", "table").out


def test_a_terminal_shows_shares_of_the_currency_and_bars_beside_its_dearest(
    cli: Cli, used: None
) -> None:
    shown = cli("usage", "report", *AT, "--no-color", terminal=True).out
    lines = [line for line in shown.splitlines() if line.strip().startswith("openai")]
    assert [line.rsplit("  ", 1)[1].strip() for line in lines] == [
        f"100 % {'█' * 16}", f"80 % {'█' * 16}", f"20 % {'█' * 4}",
    ]  # fmt: skip


def test_bars_are_of_tokens_where_nothing_costs_anything(cli: Cli) -> None:
    for tokens in (100, 50):
        cli("usage", "record", "--billable", "user:42", "--provider", "p", "--model", tokens,
            "--input-tokens", tokens, *AT)  # fmt: skip
    shown = cli("usage", "report", *AT, "--no-color", terminal=True, env={"COLUMNS": "80"}).out
    assert [line.split()[-1] for line in shown.splitlines() if " p " in f" {line}"] == [
        "█" * 6, "█" * 3,
    ]  # fmt: skip


def test_json_is_one_document_with_rows_and_totals(cli: Cli, used: None) -> None:
    found = cli("usage", "report", *AT, "--by", "day,model", "--limit", 1, "--format", "json").json
    assert list(found) == ["since", "until", "timezone", "billable", "by", "rows", "totals"]
    assert found["by"] == ["day", "model"]
    assert [list(row) for row in found["rows"]] == [["day", "model", *SUMS]] * 3
    [_, gpt, others] = found["rows"]
    assert (gpt["day"], gpt["model"], gpt["cost"]) == ("2026-11-15", "gpt", "1.000000000")
    assert (others["day"], others["cost"], others["others"]) == (None, "0.250000000", 1)
    assert found["totals"][1] == {
        "currency": "usd", "requests": 2, "tokens": 2000, "cost": "1.250000000",
        "charge": "0.000000000", "unpriced": 0,
    }  # fmt: skip


def test_csv_and_json_lines_are_its_rows(cli: Cli, used: None) -> None:
    lines = cli("usage", "report", *AT, "--by", "model", "--format", "csv").out.splitlines()
    assert lines[0] == ",".join(["model", *SUMS])
    assert lines[1] == "m,1,1000,0,0,0,0,1000,2.000000000,eur,0.000000000,eur,0,0"
    assert cli("usage", "report", *AT, "--format", "jsonl").out.count("\n") == 3


def test_the_others_are_named_in_the_first_column(cli: Cli, used: None) -> None:
    shown = cli("usage", "report", *AT, "--by", "billable,model", "--limit", 1).out
    assert "1 others    -" in shown


def test_no_usage_is_said_on_stderr(cli: Cli) -> None:
    shown = cli("usage", "report", "--month", "2026-10", "--billable", "user:1")
    assert (shown.code, shown.out) == (1, "")
    cli("billables", "create", "user:1")
    shown = cli("usage", "report", "--month", "2026-10", "--billable", "user:1")
    assert (shown.code, shown.out) == (0, "")
    assert shown.err == "No usage from 2026-10-01T00:00:00Z to 2026-11-01T00:00:00Z.\n"


def test_a_bad_option_is_wrong_usage(cli: Cli) -> None:
    assert cli("usage", "report", "--by", "modle").code == 2
    assert cli("usage", "report", "--month", "2026-00").code == 2
    assert cli("usage", "report", "--limit", 0).code == 2
