"""What hostile words on the command line do: they are taken as words, or refused clearly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.screens.capture import shown
from tests.security.commands import ENDLESS, Command, commands
from tests.security.conftest import Hostile
from tests.security.hostile import TEXTS, raw

MIXED = (
    "".join(TEXTS[name] for name in ("osc8", "markup", "c1", "bidi", "quotes", "right to left"))
    + "\r=1"
)
NUMBERS = ("9" * 5_000, "1e999999")
REFERENCE = "user:=cmd|' /C calc'!A0\x1b[2J\u202e"
_HUGE = "W" * 10_000_000
_GOOD = {
    "billable": "user:0", "billables": "user:0", "slug": "plan-0", "subscription": "1", "ids": "1",
    "base": "usd", "quote": "eur", "value": "1", "overage_id": "1", "event_id": "1",
    "plan": "plain",
    "override": "1", "transaction": "1", "event_ids": "evt_sub_0", "provider": "p", "model": "m",
    "to": "plain", "reason": "why", "older_than": "90d", "name": "name", "stripe_item": "ii_1",
    "database_url": "sqlite:///nowhere.db", "file": "nowhere", "paths": "nowhere",
    "source": "nowhere", "from_": "nowhere",
}  # fmt: skip
"""What the other arguments hold meanwhile, by name, so that the hostile one is reached."""
_GLOBAL = ("--config", "--database-url", "--format", "--as-of", "--log-file")


def _lines(command: Command) -> Iterator[list[str]]:
    """One hostile value at a time, each in a place that takes one."""
    flags = ["--dry-run"] if command.has("--dry-run") else []
    required = [param for param in command.options if param.required]
    places = [*command.arguments, *command.options]
    for number, hostile in enumerate(places):
        values = [MIXED, NUMBERS[number % 2]]
        if hostile.name in ("billable", "billables"):
            values.append(REFERENCE)
        if number == 0:
            values += [TEXTS["surrogates"], _HUGE if hostile.name == "name" else "W" * 200_000]
        for value in values:
            others = [f"{each.opts[0]}={_good(each)}" for each in required if each is not hostile]
            if hostile.param_type_name == "option":
                others.append(f"{hostile.opts[0]}={value}")
            if command.name in ENDLESS and hostile.name != "host":
                others.append("--host=no such host")
            given = [
                value if each is hostile else _good(each)
                for each in command.arguments
                if each.required or each is hostile
            ]
            yield [*command.words, *flags, *others, "--", *given]


def _good(param: Any) -> str:
    return _GOOD.get(param.name, "1")


@pytest.mark.parametrize("command", commands(), ids=lambda command: command.name)
def test_no_command_falls_over_a_hostile_word_or_passes_it_on(
    hostile: Hostile, command: Command
) -> None:
    del hostile
    for line in _lines(command):
        told = shown(*line, width=None)
        place = f"{[word[:60] for word in line]}: exit {told.code}: {told.text[:600]}"
        assert told.code in (0, 1, 2, 3, 4, 5), place
        assert "Traceback" not in told.text, place
        text = told.text
        assert raw(text) is None, f"{place}: {raw(text)}"
        assert len(text) < 100_000, place[:1000]


@pytest.mark.parametrize("option", _GLOBAL)
def test_a_hostile_global_option_is_refused(hostile: Hostile, option: str) -> None:
    del hostile
    for value in (MIXED, TEXTS["surrogates"], *NUMBERS):
        told = shown("plans", "list", f"{option}={value}", width=None)
        assert told.code in (0, 2, 4, 5), (value, told.text)
        assert raw(told.text) is None, told.text
