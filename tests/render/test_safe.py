"""Nothing that comes from outside reaches a terminal as a command to it."""

from __future__ import annotations

import json

import pytest

from aimeter_cli.render.safe import harmless, harmless_json, harmless_lines

HOSTILE = [
    ("\x1b[31mred", "\\x1b[31mred"),
    ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
    ("\x00\x07\x7f", "\\x00\\x07\\x7f"),
    ("\x9b31m", "\\x9b31m"),  # CSI of C1
    ("abc\u202etxt.exe", "abc\\u202etxt.exe"),
    ("\u2066x\u2069\u200f", "\\u2066x\\u2069\\u200f"),
    ("a\u2028b", "a\\u2028b"),
    ("\ud800", "\\ud800"),
    ("[bold]plain[/bold] ü 漢 😀", "[bold]plain[/bold] ü 漢 😀"),
]


@pytest.mark.parametrize(("text", "shown"), HOSTILE)
def test_control_and_bidi_characters_become_visible(text: str, shown: str) -> None:
    assert harmless(text) == shown


@pytest.mark.parametrize("text", [text for text, _ in HOSTILE])
def test_json_stays_json_and_means_the_same(text: str) -> None:
    document = harmless_json(json.dumps({"x": text}, ensure_ascii=False, indent=2))
    assert json.loads(document) == {"x": text}
    assert document == harmless_lines(document)


def test_lines_of_our_own_stay_lines() -> None:
    assert harmless_lines("a\nb\x1b") == "a\nb\\x1b"
