"""Rates are dated, replaced only at their own time, and never assumed."""

from __future__ import annotations

import os
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.rates import NoRate, Rate
from aimeter_cli.errors import InvalidInput, NotFound
from aimeter_cli.services import rate_files
from aimeter_cli.services.rate_files import read_rates
from aimeter_cli.services.rates import (
    convert,
    find_rates,
    list_rates,
    rate_history,
    remove_rates,
    set_rates,
)
from aimeter_cli.settings.table import Settings
from tests.conftest import NOW, Clock

D = Decimal
CONFIGURED = Settings(currency_rates={"usd_eur": D("0.5"), "usd_jpy": D(150)})


def _rate(base: str, quote: str, value: str, age: int = 0) -> Rate:
    return Rate(base, quote, D(value), NOW - timedelta(days=age), "test")


def test_a_rate_is_added_changed_or_unchanged(any_database: Database, clock: Clock) -> None:
    def store(value: str) -> str:
        return set_rates(any_database, [_rate("usd", "eur", value)], now=clock())[0].effect

    assert [store("0.85"), store("0.850"), store("0.9"), store("0.9")] == [
        "added", "unchanged", "changed", "unchanged",
    ]  # fmt: skip
    [stored] = list_rates(any_database, Settings(), at=NOW)
    assert (stored.value, stored.effective_at) == (D("0.9"), NOW)


def test_a_rate_keeps_every_digit(any_database: Database, clock: Clock) -> None:
    set_rates(any_database, [_rate("usd", "eur", "0.123456789012345678")], now=clock())
    assert list_rates(any_database, Settings(), at=NOW)[0].value == D("0.123456789012345678")


def test_a_rehearsal_stores_nothing(any_database: Database, clock: Clock) -> None:
    made = set_rates(any_database, [_rate("usd", "eur", "0.9")], now=clock(), dry_run=True)
    assert made[0].effect == "added"
    assert list_rates(any_database, Settings(), at=NOW) == []


def test_the_list_shows_the_newest_of_each_pair_and_the_configured(
    any_database: Database, clock: Clock
) -> None:
    rates = [
        _rate("usd", "eur", "0.8", 20),
        _rate("usd", "eur", "0.9", 8),
        _rate("eur", "gbp", "0.7", 0),
        _rate("usd", "eur", "0.99", -1),  # not yet in force
    ]
    set_rates(any_database, rates, now=clock())
    found = list_rates(any_database, CONFIGURED, at=NOW)
    assert [(r.base, r.quote, r.value, r.age_days, r.is_too_old, r.source) for r in found] == [
        ("eur", "gbp", D("0.7"), 0, False, "test"),
        ("usd", "eur", D("0.9"), 8, True, "test"),
        ("usd", "eur", D("0.5"), None, False, "configuration"),
        ("usd", "jpy", D("150"), None, False, "configuration"),
    ]
    before = list_rates(any_database, Settings(), at=NOW - timedelta(days=10))
    assert [(r.value, r.age_days, r.status) for r in before] == [(D("0.8"), 10, "too_old")]


def test_the_history_has_both_directions_and_what_each_rate_is_now(
    any_database: Database, clock: Clock
) -> None:
    rates = [
        _rate("usd", "eur", "0.8", 3), _rate("usd", "eur", "0.9", 2), _rate("eur", "usd", "1.2", 8),
        _rate("usd", "eur", "0.99", -1), _rate("eur", "gbp", "0.7"),
    ]  # fmt: skip
    set_rates(any_database, rates, now=clock())
    history = rate_history(any_database, Settings(), "usd", "eur", at=NOW)
    assert [(view.base, view.value, view.status) for view in history] == [
        ("usd", D("0.99"), "future"), ("usd", D("0.9"), "current"), ("usd", D("0.8"), "past"),
        ("eur", D("1.2"), "too_old"),
    ]  # fmt: skip
    since = NOW - timedelta(days=2)
    recent = rate_history(any_database, Settings(), "eur", "usd", at=NOW, since=since)
    assert [view.value for view in recent] == [D("0.99"), D("0.9")]


@pytest.mark.parametrize(
    ("base", "quote", "age", "result", "via"),
    [
        ("usd", "eur", 0, "8.000000000", "usd/eur 0.8 (test 2026-11-15)"),
        ("eur", "usd", 0, "12.500000000", "usd/eur 0.8 (test 2026-11-15)"),
        ("usd", "eur", 8, "5.000000000", "usd/eur 0.5 (configuration)"),  # the stored one is old
        (
            "eur",
            "jpy",
            0,
            "1875.000000000",
            "usd/eur 0.8 (test 2026-11-15), usd/jpy 150 (configuration)",
        ),
        ("usd", "usd", 0, "10.000000000", "same currency"),
    ],
)
def test_an_amount_is_converted_as_an_overage_would_be(
    base: str, quote: str, age: int, result: str, via: str, database: Database, clock: Clock
) -> None:
    set_rates(database, [_rate("usd", "eur", "0.8", age)], now=clock())
    done = convert(database, CONFIGURED, D(10), base, quote, at=NOW)
    assert (str(done.result), done.via) == (result, via)


def test_without_a_rate_nothing_is_converted(database: Database) -> None:
    with pytest.raises(NoRate, match="no rate from usd to eur"):
        convert(database, Settings(), D(10), "usd", "eur", at=NOW)


def test_rates_are_removed_all_or_one(any_database: Database, clock: Clock) -> None:
    set_rates(any_database, [_rate("usd", "eur", "1", 2), _rate("usd", "eur", "2", 1)], now=clock())
    one = find_rates(any_database, "usd", "eur", NOW - timedelta(days=1))
    remove_rates(any_database, one, dry_run=True)
    assert len(find_rates(any_database, "usd", "eur", None)) == 2
    remove_rates(any_database, one)
    assert [row.value for row in find_rates(any_database, "usd", "eur", None)] == [D(1)]
    remove_rates(any_database, find_rates(any_database, "usd", "eur", None))
    with pytest.raises(NotFound, match=r"there is no stored rate from usd to eur$"):
        find_rates(any_database, "usd", "eur", None)


_NO_CODE = ": rate: expected a currency such as usd, got 1"
FILES = [
    (
        "a.json",
        '{"base": "USD", "date": "2026-11-01", "rates": {"EUR": 0.85, "usd": 1, "jpy": 150}}',
    ),
    ("b.json", '{"usd_eur": "0.85", "USD_JPY": 150}'),
    ("c.toml", 'base = "usd"\ndate = 2026-11-01\n[rates]\neur = 0.85\njpy = 150\n'),
    ("d.toml", "usd_eur = 0.85\nusd_jpy = 150\n"),
    ("e.csv", "base,quote,rate,date\nusd,eur,0.85,2026-11-01\nUSD, jpy ,150,\n"),
    ("f.csv", "\ufeffquote,base,rate\r\neur,usd,0.85\r\njpy,usd,150\r\n"),
]


@pytest.mark.parametrize(("name", "content"), FILES)
def test_every_kind_of_file_is_read_with_decimals(name: str, content: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_text(content, encoding="utf-8")
    rates = read_rates(file, source=None, today=NOW)
    assert [(rate.base, rate.quote, rate.value, rate.source) for rate in rates] == [
        ("usd", "eur", D("0.85"), name),
        ("usd", "jpy", D(150), name),
    ]
    dates = {f"{rate.effective_at:%Y-%m-%dT%H:%M%z}" for rate in rates}
    assert dates <= {"2026-11-01T00:00+0000", "2026-11-15T00:00+0000"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.txt",
            "",
            ": expected JSON, TOML, CSV, or the XML, CSV or zip of the ECB; a file's name ends so",
        ),
        ("a.json", '{"usd_eur": 0.85,\n"usd_jpy"}', ":2: not JSON: Expecting ':' delimiter"),
        ("a.json", "1", ": expected an object"),
        ("a.json", "[1]", ": [0]: expected an object of base, quote, rate and date"),
        ("a.json", "[" * 9999, ": nested too deeply"),
        ("a.json", '{"base": 1, "quote": "eur", "rate": 2}', _NO_CODE),
        (
            "a.csv",
            "base,quote,rate,date\nusd,eur,1,2026-11-01\nusd,eur,2,2026-11-01\n",
            ":3: usd to eur of 2026-11-01 is given twice: 1 and 2",
        ),
        ("a.json", "{}", ": holds no rate"),
        ("a.json", '{"usd_eur": NaN}', ": NaN is not a number"),
        ("a.json", '{"usd_eur": 1, "usd_eur": 2}', ": usd_eur: given twice"),
        (
            "a.json",
            '{"usdeur": 1}',
            ": usdeur: expected a pair such as usd_eur, or base, date and rates",
        ),
        ("a.json", '{"rates": {"eur": 1}}', ": expected base, a currency, and rates, an object"),
        (
            "a.json",
            '{"base": "usd", "amount": 2, "rates": {"eur": 1}}',
            ": amount: expected rates for an amount of 1",
        ),
        (
            "a.json",
            '{"base": "usd", "rates": {"eur": true}}',
            ": rates.eur: expected a decimal number, got True",
        ),
        (
            "a.json",
            '{"base": "usd", "rates": {"eur": 0}}',
            ": rates.eur: rate: expected a positive decimal number, got 0",
        ),
        (
            "a.json",
            '{"base": "usd", "rates": {"usd": 2}}',
            ": rates.usd: a rate needs two currencies",
        ),
        (
            "a.json",
            '{"base": "usd", "rates": {"btc": 2}}',
            (
                ": rates.btc: unknown currency 'btc': expected a three-letter ISO 4217 code "
                "such as usd or eur"
            ),
        ),
        (
            "a.json",
            '{"base": "usd", "date": 5, "rates": {"eur": 2}}',
            ": date: expected a date such as 2026-11-01",
        ),
        ("a.toml", "usd_eur = ", ": not TOML: Invalid value (at end of document)"),
        ("a.csv", "base,rate\n", ":1: no column quote: expected base,quote,rate,date"),
        ("a.csv", "base,quote,rate\nusd,eur,1\nusd,jpy\n", ":3: expected 3 cells"),
        (
            "a.csv",
            "base,quote,rate\nusd,eur,x\n",
            ":2: rate: expected a positive decimal number, got 'x'",
        ),
        (
            "a.csv",
            "base,quote,rate,date\nusd,eur,1,soon\n",
            ":2: date: 'soon' is not a time: expected ISO 8601, such as 2026-10-31T12:00:00Z",
        ),
    ],
)
def test_a_bad_file_says_where_the_fault_is(
    name: str, content: str, message: str, tmp_path: Path
) -> None:
    file = tmp_path / name
    file.write_text(content)
    with pytest.raises(InvalidInput) as caught:
        read_rates(file, source=None, today=NOW)
    assert caught.value.message == f"{file}{message}"


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read: No such file"):
        read_rates(tmp_path / "none.json", source=None, today=NOW)


def test_only_a_regular_file_of_bounded_size_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(InvalidInput, match=r"pipe\.csv is not a regular file"):
        read_rates(tmp_path / "pipe.csv", source=None, today=NOW)
    monkeypatch.setattr(rate_files, "MOST_BYTES", 3)
    (tmp_path / "a.csv").write_text("base")
    with pytest.raises(InvalidInput, match="larger than 3 bytes"):
        read_rates(tmp_path / "a.csv", source=None, today=NOW)
