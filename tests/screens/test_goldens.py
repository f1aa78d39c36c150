"""What is shown is what the golden files hold; every command that lists or shows has one."""

from __future__ import annotations

import pytest

from aimeter_cli.cli.lazy import load
from aimeter_cli.cli.registry import COMMANDS
from tests.screens.screens import GOLDEN, SCREENS, WIDTHS, Gallery, Screen, golden_file

_READING = {
    "balance", "check", "convert", "current", "explain", "history", "list", "report", "show",
    "status", "transactions",
}  # fmt: skip


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: screen.name)
def test_a_screen_is_as_its_golden_files_show_it(screen: Screen, gallery: Gallery) -> None:
    for kind in WIDTHS:
        expected = golden_file(screen, kind).read_text(encoding="utf-8")
        assert gallery.golden(screen, kind) == expected, "python -m tests.screens --write"


def test_every_command_that_lists_or_shows_has_golden_files() -> None:
    found = {
        f"{entry.name} {name}"
        for entry in COMMANDS
        for name in getattr(load(entry), "commands", ())
        if name in _READING
    }
    assert {line for line in found if line.endswith((" list", " show"))}
    assert found - {" ".join(screen.args[:2]) for screen in SCREENS} == set()


def test_every_list_has_golden_files_of_nothing() -> None:
    lists = {screen.args[:2] for screen in SCREENS if screen.args[1:2] == ("list",)}
    assert lists - {screen.args[:2] for screen in SCREENS if screen.is_empty} == {
        ("prices", "list")  # the library's are always there
    }


def test_there_is_no_golden_file_without_its_screen() -> None:
    files = {golden_file(screen, kind) for screen in SCREENS for kind in WIDTHS}
    assert set(GOLDEN.rglob("*.*")) == files
