"""What hostile texts in the database do to whoever reads them: nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.screens.capture import Shown, shown
from tests.security.commands import Command, commands
from tests.security.conftest import Hostile
from tests.security.hostile import TEXTS, formulas, raw

READING = [command for command in commands() if command.is_reading]
FORMATS = ("table", "plain", "markdown", "csv", "tsv", "json", "jsonl")
SAMPLES = {
    "slug": "plan-0", "billable": "user:0", "subscription": "1", "overage_id": "1",
    "base": "usd", "quote": "gbp", "value": "1", "provider": "p0", "model": TEXTS["markup"],
    "event_id": "1",
}  # fmt: skip
"""What a reading command is given, by the argument's name."""
_SAMPLES_OF = {"webhooks show": ["evt_sub_0"], "prices show": ["openai", "gpt-4o"],
               "rates convert": ["1", "usd", "eur"]}  # fmt: skip
_MORE: dict[str, list[list[str]]] = {
    "status": [["--format=prometheus"]],
    "usage report": [["--by=day,model"], ["--by=feature"], ["--by=billable"], ["--html=-"]],
}
_ALL_BILLABLES = ("billables show", "subscriptions show")


def _lines(command: Command) -> Iterator[list[str]]:
    """What the command is called with: each of its hostile rows, where they are shown singly."""
    words = [*command.words, "--"]
    given = [SAMPLES[param.name] for param in command.arguments if param.required]
    if command.name in _SAMPLES_OF:
        given = _SAMPLES_OF[command.name]
    yield [*words, *given] if given else words[:-1]
    if command.name in _ALL_BILLABLES:
        yield from ([*words, f"user:{number}"] for number in (1, 3, 4, 14))


@pytest.mark.parametrize("command", READING, ids=lambda command: command.name)
def test_nothing_that_is_read_reaches_the_terminal_or_the_spreadsheet(
    hostile: Hostile, command: Command
) -> None:
    del hostile
    for line in _lines(command):
        for format_ in FORMATS:
            told = shown(f"--format={format_}", *line, width=80 if format_ == "table" else None)
            _check(told, format_, " ".join(line))
        for more in _MORE.get(command.name, []):
            _check(shown(*line, *more, width=None), "plain", " ".join(line))


def _check(told: Shown, format_: str, line: str) -> None:
    place = f"{format_}: {line}: exit {told.code}: {told.text[-400:]}"
    assert told.code in (0, 1), place
    assert "Traceback" not in told.text, place
    err = "".join(text for is_err, text in told.parts if is_err)
    assert raw(err) is None, f"{place}: {raw(err)}"
    out = told.out.replace("\t", "") if format_ == "tsv" else told.out
    assert raw(out) is None, f"{place}: {raw(out)}"
    if format_ in ("csv", "tsv"):
        assert formulas(told.out, "," if format_ == "csv" else "\t") == [], place
    elif format_ == "json":
        json.loads(told.out)
    elif format_ == "jsonl":
        list(map(json.loads, told.out.splitlines()))


def test_json_tells_every_accepted_text_exactly(hostile: Hostile) -> None:
    del hostile
    told = {
        text
        for line in (("billables", "list"), ("plans", "list"), ("subscriptions", "list"),
                     ("credits", "transactions"), ("usage", "list"))
        for text in _strings(json.loads(shown(*line, "--format=json", width=None).out))
    }  # fmt: skip
    refused = {"surrogates", "nul", "long"}
    assert [name for name, text in TEXTS.items() if text not in told and name not in refused] == []


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, member in value.items():
            yield key
            yield from _strings(member)
    elif isinstance(value, list):
        for member in value:
            yield from _strings(member)


def test_what_is_refused_is_refused_clearly_and_harmlessly(hostile: Hostile) -> None:
    for told in hostile.seeded:
        assert told.code in (0, 1, 2, 3, 4), told.text
        assert raw(told.text) is None, raw(told.text)
        if told.code == 2:
            assert "error: " in told.text
            assert "Traceback" not in told.text


def test_markup_is_shown_as_it_was_typed(hostile: Hostile) -> None:
    del hostile
    out = shown("billables", "show", "user:0", "--format=table", width=200).out
    assert "[red]x[/red][link=https://evil.example]y[/link][/]" in out
