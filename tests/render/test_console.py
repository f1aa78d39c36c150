"""Notices and progress go to stderr, harmless, and are silent when asked."""

from __future__ import annotations

import io
import sys

import pytest

from aimeter_cli.render.console import Console
from aimeter_cli.render.progress import progress


def _speak(console: Console) -> None:
    console.notice("a notice")
    console.warn("a warning\x1b[2J")
    console.detail("a detail")
    console.error("an error", "a hint")


@pytest.mark.parametrize(
    ("console", "expected"),
    [
        (Console(), "a notice\nwarning: a warning\\x1b[2J\nerror: an error\nhint: a hint\n"),
        (Console(quiet=True, verbose=True), "error: an error\nhint: a hint\n"),
        (
            Console(verbose=True),
            "a notice\nwarning: a warning\\x1b[2J\na detail\nerror: an error\nhint: a hint\n",
        ),
    ],
)
def test_what_is_said_depends_on_quiet_and_verbose(
    console: Console, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _speak(console)
    assert capsys.readouterr() == ("", expected)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_shown_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(console: Console) -> str:
        with progress(console, "Importing [x]", total=2) as advance:
            advance()
            advance(1, total=4)
        assert isinstance(sys.stderr, io.StringIO)
        return sys.stderr.getvalue()

    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert run(Console()) == ""
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert run(Console(quiet=True)) == ""
    assert "Importing [x]" in run(Console())
    assert "2/4" in run(Console())
