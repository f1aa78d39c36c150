"""Notices and progress go to stderr, harmless, and are silent when asked."""

from __future__ import annotations

import io
import sys

import pytest
from rich.progress import Task, TaskID

from aimeter_cli.render.console import Console
from aimeter_cli.render.progress import progress
from aimeter_cli.render.progress_columns import Done, Left, Rate


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
    assert "2 of 4" in run(Console())
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert run(Console()) == ""


def _task(*, total: float | None, completed: float, speed: float | None) -> Task:
    task = Task(TaskID(1), "", total, completed, _get_time=lambda: 100.0)
    task.start_time = 35.0
    task.finished_speed = speed
    return task


@pytest.mark.parametrize(
    ("task", "shown"),
    [
        (_task(total=5000, completed=1200, speed=350), ["1,200 of 5,000", "350/s", "0:00:11 left"]),
        (
            _task(total=5000, completed=5000, speed=4.21),
            ["5,000 of 5,000", "4.2/s", ""],
        ),
        (_task(total=None, completed=1200, speed=350), ["1,200", "350/s", "0:01:05"]),
        (_task(total=5, completed=0, speed=None), ["0 of 5", "", "0:01:05"]),
    ],
)
def test_beside_a_bar_stand_its_rate_and_the_time_left(task: Task, shown: list[str]) -> None:
    assert [column.render(task).plain for column in (Done(), Rate(), Left())] == shown
