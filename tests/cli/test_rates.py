"""``aimeter rates`` from outside."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Cli

AT = ("--as-of", "2026-11-15T12:00:00Z")


def test_rates_are_set_used_and_removed(cli: Cli) -> None:
    stored = cli("rates", "set", "USD", "eur", "0.85", *AT, "--format", "json")
    assert stored.json == {
        "base": "usd",
        "quote": "eur",
        "rate": "0.85",
        "effective_at": "2026-11-15T12:00:00Z",
        "source": "manual",
        "effect": "added",
    }
    assert cli("rates", "convert", "10", "usd", "eur", *AT, "--format", "json").json == {
        "amount": "10.000000000",
        "currency": "usd",
        "result": "8.500000000",
        "result_currency": "eur",
        "rate": "0.85",
        "via": "usd/eur 0.85 (manual 2026-11-15)",
        "at": "2026-11-15T12:00:00Z",
    }
    assert cli("rates", "list", *AT, "--format", "csv").out == (
        "base,quote,rate,effective_at,source,age_days,is_too_old\n"
        "usd,eur,0.85,2026-11-15T12:00:00Z,manual,0,false\n"
    )
    assert cli("rates", "history", "usd", "eur", *AT, "--format", "jsonl").out.count("\n") == 1
    assert cli("rates", "remove", "usd", "eur").code == 0
    gone = cli("rates", "convert", "10", "usd", "eur")
    assert (gone.code, gone.err) == (
        1,
        "error: no rate from usd to eur\nhint: aimeter rates set usd eur RATE\n",
    )


def test_removing_several_rates_needs_consent(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    cli("rates", "set", "usd", "eur", "0.85", "--at", "2026-11-01")
    cli("rates", "set", "usd", "eur", "0.86", "--at", "2026-11-02")
    remove = ("rates", "remove", "usd", "eur")
    refused = cli(*remove)
    assert (refused.code, refused.err) == (
        2,
        (
            "error: Remove all 2 rates from usd to eur? There is nobody to ask.\n"
            "hint: Add --yes to agree.\n"
        ),
    )
    declined = cli(*remove, terminal=True, stdin="n\n")
    assert declined.code == 1
    assert declined.err.endswith("error: aborted; nothing was changed\n")
    assert cli(*remove, "--at", "2026-11-01").code == 0
    assert cli(*remove, terminal=True, stdin="y\n").code == 0


def test_a_file_of_rates_is_stored_whole_or_not_at_all(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "rates.json"
    update = ("rates", "update", "--from", file)
    file.write_text(json.dumps({"base": "usd", "date": "2026-11-01", "rates": {"eur": "0.85"}}))
    assert cli(*update).err == "1 added, 0 changed, 0 unchanged\n"
    assert cli(*update).err == "0 added, 0 changed, 1 unchanged\n"
    file.write_text(json.dumps({"base": "usd", "rates": {"eur": "0.9", "xxx": "1"}}))
    broken = cli(*update)
    assert broken.code == 2
    assert broken.err.startswith(f"error: {file}: rates.xxx: unknown currency 'xxx'")
    assert len(cli("rates", "history", "usd", "eur", "--format", "json").json) == 1


@pytest.mark.parametrize("value", ["0", "-1", "x", "nan", "1e40"])
def test_a_rate_is_a_positive_number(value: str, cli: Cli) -> None:
    done = cli("rates", "set", "usd", "eur", "--", value)
    assert done.code == 2
    assert done.err.startswith("error: VALUE: ")
