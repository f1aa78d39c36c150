"""``aimeter prices``, ``usage list`` and ``usage reprice``, as they are typed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from genai_prices import __version__

from tests.conftest import Cli, Result

LIBRARY = f"genai-prices {__version__}"
OWN = {
    "openai": {
        "gpt-4o-mini": [
            {"input_per_1m": "1", "currency": "eur"},
            {"input_per_1m": "2", "output_per_1m": "3", "from": "2026-11-01"},
        ],
        "ours": {"input_per_1m": "5"},
    }
}
AT = "2026-11-15T12:00:00Z"


def run(cli: Cli, *args: object, own: Any = None, **env: str) -> Result:
    if own is not None:
        env["AI_METERING_PRICES"] = json.dumps(own)
    return cli(*args, "--as-of", AT, env=env)


def record(cli: Cli, model: str, **fields: object) -> Any:
    given = {"billable": "user:42", "provider": "openai", "input_tokens": 1_000_000, **fields}
    words = [word for name, value in given.items()
             for word in (f"--{name.replace('_', '-')}", value)]  # fmt: skip
    done = run(cli, "usage", "record", "--model", model, *words, "--format", "json")
    assert done.code == 0, done.err
    return done.json


def test_a_price_of_the_configuration_wins_from_its_day_on(cli: Cli) -> None:
    show = ("prices", "show", "openai", "gpt-4o-mini", "--format", "json")
    [now] = run(cli, *show, own=OWN).json
    assert now == {
        "provider": "openai",
        "model": "gpt-4o-mini",
        "above_input_tokens": 0,
        "input_per_1m": "2.000000000",
        "cached_input_per_1m": None,
        "cache_write_per_1m": None,
        "output_per_1m": "3.000000000",
        "reasoning_per_1m": "3.000000000",
        "currency": "usd",
        "source": "configuration",
        "since": "2026-11-01T00:00:00Z",
    }
    [then] = run(cli, *show, "--at", "2026-10-31", own=OWN).json
    assert (then["input_per_1m"], then["currency"], then["since"]) == ("1.000000000", "eur", None)
    [without] = run(cli, *show).json
    assert (without["input_per_1m"], without["source"]) == ("0.150000000", LIBRARY)


def test_before_its_first_day_the_librarys_price_holds(cli: Cli) -> None:
    own = {"openai": {"gpt-4o-mini": {"input_per_1m": "9", "from": "2026-12-01"}}}
    [price] = run(cli, "prices", "show", "openai", "gpt-4o-mini", "--format", "json", own=own).json
    assert price["source"] == LIBRARY


def test_prices_by_the_size_of_a_call_are_rows(cli: Cli) -> None:
    rows = run(cli, "prices", "show", "gemini", "gemini-2.5-pro", "--format", "json").json
    assert [(row["above_input_tokens"], row["output_per_1m"]) for row in rows] == [
        (0, "10.000000000"),
        (200_000, "15.000000000"),
    ]


@pytest.mark.parametrize(
    ("provider", "model", "hint"),
    [
        ("openai", "gpt-4o-mnii", "Did you mean gpt-4o-mini?"),
        ("openai", "oursx", "Did you mean ours?"),
        ("opnai", "gpt-4o-mini", "Did you mean openai?"),
        ("zzz", "zzz", 'Add a price under [prices.zzz."zzz"] of the configuration.'),
    ],
)
def test_what_has_no_price_exits_1_with_what_may_have_been_meant(
    cli: Cli, provider: str, model: str, hint: str
) -> None:
    done = run(cli, "prices", "show", provider, model, own=OWN)
    assert (done.code, done.out) == (1, "")
    assert f"there is no price of {provider} {model}: its usages are unpriced" in done.err
    assert hint in done.err


def test_without_the_library_only_the_configuration_has_prices(cli: Cli) -> None:
    env = {"AI_METERING_PRICE_LIBRARY": "false"}
    done = run(cli, "prices", "list", "--format", "json", own=OWN, **env)
    assert [row["model"] for row in done.json] == ["gpt-4o-mini", "ours"]
    assert run(cli, "prices", "show", "openai", "gpt-4o", own=OWN, **env).code == 1
    assert "no others: price_library is off" in run(cli, "doctor", own=OWN, **env).out


def test_prices_are_found_by_provider_source_and_part_of_the_name(cli: Cli) -> None:
    def found(*words: str) -> set[tuple[str, str, str]]:
        rows = run(cli, "prices", "list", *words, "--format", "json", own=OWN).json
        return {(row["provider"], row["model"], row["source"]) for row in rows}

    both = {("openai", "gpt-4o-mini", "configuration"), ("openai", "gpt-4o-mini", LIBRARY)}
    mini = found("--provider", "openai", "--search", "GPT-4o-MINI")
    assert both <= mini
    assert found("--source", "configuration") == {
        ("openai", "gpt-4o-mini", "configuration"), ("openai", "ours", "configuration"),
    }  # fmt: skip
    assert {source for _, _, source in found("--source", "genai-prices")} == {LIBRARY}
    assert {provider for provider, _, _ in found("--provider", "bedrock")} == {"aws"}
    done = run(cli, "prices", "list", "--source", "mars")
    assert (done.code, done.out) == (2, "")
    assert f"--source: 'mars' is none of configuration, {LIBRARY}" in done.err


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ('[[prices.openai."m"]]\ninput = 1\n', 'aimeter.toml:1: prices.openai."m": unknown key'),
        ('[prices.openai."m"]\nfrom = 12:00:00\n', 'prices.openai."m".from: expected a date'),
        ("price_library = 3\n", "aimeter.toml:1: price_library: expected true or false, got 3"),
    ],
)
def test_a_bad_price_names_file_and_line(cli: Cli, isolated: Any, toml: str, told: str) -> None:
    (isolated / "aimeter.toml").write_text(toml)
    done = run(cli, "prices", "list")
    assert (done.code, done.out) == (4, "")
    assert told in done.err


def test_an_array_of_tables_with_toml_dates_is_effective_dated(cli: Cli, isolated: Any) -> None:
    (isolated / "aimeter.toml").write_text(
        '[[prices.openai."m"]]\ninput_per_1m = "1"\n'
        '[[prices.openai."m"]]\nfrom = 2026-11-15\ninput_per_1m = 2.5\n'
    )
    [price] = run(cli, "prices", "show", "openai", "m", "--format", "json").json
    assert (price["input_per_1m"], price["since"]) == ("2.500000000", "2026-11-15T00:00:00Z")


def test_a_usage_shows_its_price_and_where_it_comes_from(cli: Cli) -> None:
    usage = record(cli, "gpt-4o-mini")
    assert (usage["cost"], usage["price_source"]) == ("0.150000000", LIBRARY)
    assert usage["price"] == {
        "currency": "usd",
        "input_per_1m": "0.150000000",
        "cached_input_per_1m": "0.075000000",
        "output_per_1m": "0.600000000",
        "reasoning_per_1m": "0.600000000",
    }
    told = record(cli, "gpt-4o-mini", cost="3")
    assert (told["cost"], told["price"], told["price_source"]) == ("3.000000000", None, None)


def test_what_had_no_price_is_listed_told_by_doctor_and_priced_later(cli: Cli) -> None:
    record(cli, "new-model")
    [waiting] = run(cli, "usage", "list", "--unpriced", "--format", "json").json
    assert (waiting["state"], waiting["cost"]) == ("unpriced", None)
    assert "1 without a price: openai new-model" in run(cli, "doctor").out
    own = {"openai": {"new-model": {"input_per_1m": "4"}}}
    untouched = run(cli, "usage", "reprice", "--format", "json")
    assert (untouched.code, untouched.json["priced"], untouched.json["waiting"]) == (0, 0, 1)
    assert "1 still wait" in untouched.err
    dry = run(cli, "usage", "reprice", "--dry-run", "--format", "json", own=own)
    assert "dry run: nothing was changed" in dry.err
    done = run(cli, "usage", "reprice", "--format", "json", own=own)
    assert done.json == {**dry.json, "dry_run": False} == {
        "dry_run": False, "selected": 1, "priced": 1, "waiting": 0,
        "groups": [{
            "provider": "openai", "model": "new-model", "state": "priced", "usages": 1,
            "cost": "4.000000000", "currency": "usd", "charge": None, "charge_currency": None,
            "source": "configuration",
        }],
    }  # fmt: skip
    adjustment, original = run(cli, "usage", "list", "--format", "json").json
    assert (adjustment["adjusts_id"], adjustment["cost"]) == (original["id"], "4.000000000")
    assert (original["state"], original["cost"]) == ("priced", None)
    assert "every one is priced" in run(cli, "doctor").out
    assert run(cli, "audit").code == 0
    report = run(cli, "usage", "report", "--format", "json").json["totals"]
    assert [(row["requests"], row["cost"]) for row in report] == [(1, "4.000000000")]


@pytest.mark.parametrize("format_", ["table", "plain", "csv"])
def test_a_repricing_without_any_price_is_shown_in_every_format(cli: Cli, format_: str) -> None:
    record(cli, "new-model")
    done = run(cli, "usage", "reprice", "--format", format_)
    assert (done.code, "1" in done.out) == (0, True)


def test_a_list_says_what_it_comes_to_by_currency_and_that_it_is_cut(cli: Cli) -> None:
    record(cli, "m", cost="1.5")
    record(cli, "m", cost="2", currency="eur")
    record(cli, "new-model")
    done = run(cli, "usage", "list")
    assert done.err.splitlines() == [
        "1 usage(s), 1,000,000 tokens, cost 2.00 EUR",
        "2 usage(s), 2,000,000 tokens, cost 1.50 USD without 1 unpriced",
    ]
    cut = run(cli, "usage", "list", "--limit", "2", "--format", "json")
    assert [row["model"] for row in cut.json] == ["new-model", "m"]
    assert "these are the newest 2 only; --limit shows more" in cut.err


@pytest.mark.parametrize(
    ("words", "models"),
    [
        ((), ["d", "c", "b", "a"]),
        (("--billable", "user:42"), ["b", "d", "a"]),
        (("--provider", "azure"), ["c"]),
        (("--model", "a"), ["a"]),
        (("--feature", "chat"), ["b"]),
        (("--state", "unpriced"), ["d"]),
        (("--unpriced",), ["d"]),
        (("--since", "2026-11-10"), ["b"]),
        (("--until", "2026-11-10"), ["d", "c", "a"]),
        (("--since", "2026-11-03", "--until", "2026-11-04"), ["c"]),
    ],
)
def test_usages_are_listed_newest_first_as_they_were_asked_for(
    cli: Cli, words: tuple[str, ...], models: list[str]
) -> None:
    record(cli, "a", cost="1", occurred_at="2026-11-01T00:00:00Z")
    record(cli, "b", cost="1", feature="chat", occurred_at="2026-11-10T00:00:00Z")
    record(cli, "c", cost="1", provider="azure", billable="user:7",
           occurred_at="2026-11-03T00:00:00Z")  # fmt: skip
    record(cli, "d", occurred_at="2026-11-02T00:00:00Z")
    rows = run(cli, "usage", "list", *words, "--format", "json").json
    assert [row["model"] for row in rows] == models


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--state", "odd"), 2, "--state: 'odd' is none of priced, unpriced, needs_rate, unpaid"),
        (("--unpriced", "--state", "priced"), 2, "contradict each other"),
        (("--billable", "user:8"), 1, "user:8"),
        (("--since", "yesterday"), 2, "--since: 'yesterday' is not a time"),
    ],
)
def test_a_wrong_question_lists_nothing(
    cli: Cli, words: tuple[str, ...], code: int, told: str
) -> None:
    done = run(cli, "usage", "list", *words)
    assert (done.code, done.out) == (code, "")
    assert told in done.err


def test_a_repricing_is_a_job_that_status_knows(cli: Cli) -> None:
    run(cli, "usage", "reprice")
    assert "usage reprice" in run(cli, "status").out
