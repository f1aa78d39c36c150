"""The first session of the README is what a terminal of 80 columns shows, line by line."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from aimeter_cli.sandbox.client import SandboxControl
from tests.conftest import Cli

README = Path(__file__).parents[2] / "README.md"

_WHEN = ("--as-of", "2026-11-23T01:36:00Z")
_PROGRESS = re.compile(r"\x1b\[\?25l.*?\x1b\[\?25h|\x1b\[[0-9]*[AK]|\r", re.DOTALL)


def _steps() -> list[tuple[str, str]]:
    """Each line that is typed, with what it showed."""
    readme = README.read_text(encoding="utf-8")
    [block] = re.findall(r"^```\n(\$ export STRIPE_API_BASE.*?)^```", readme, re.M | re.S)
    parts = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    return [(line, shown) for line, _, shown in (part.partition("\n") for part in parts)]


def _lines(text: str) -> list[str]:
    """Without what differs from run to run; sorted, as stdout and stderr are told apart here."""
    text = re.sub(r"(cus|ii)_\w+", lambda found: f"{found[1]}_" + "x" * len(found[0]), text)
    text = re.sub(r"in \d+\.\d s", "in 0.0 s", re.sub(r"sqlite:\S+", "sqlite:", text))
    return sorted(line.rstrip() for line in text.splitlines() if line.strip())


def test_the_first_session_of_the_readme_shows_what_it_says(
    cli: Cli,
    billing: SandboxControl,
    customer: Callable[[], str],
    isolated: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    ran, made = 0, "cus_"
    for line, shown in _steps():
        words = shlex.split(re.sub(r"cus_\w+", made, line))
        if words[0] == "export":
            for name, _, value in (word.partition("=") for word in words[1:]):
                monkeypatch.setenv(name, billing.url if name == "STRIPE_API_BASE" else value)
        elif words[0] == "curl":
            made = customer()
        elif words[0] == "cat":
            (isolated / words[1]).write_text(shown, encoding="utf-8")
        else:
            done = cli(*words[1:], *_WHEN, terminal=True)
            assert done.code == 0, done.err
            assert _lines(_PROGRESS.sub("", done.out + done.err)) == _lines(shown), line
            ran += 1
    assert ran == 9
