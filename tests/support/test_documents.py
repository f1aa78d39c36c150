"""Documents that are made from the code say what the code does."""

from __future__ import annotations

import re

import pytest

from aimeter_cli.cli.lazy import load
from aimeter_cli.cli.registry import COMMANDS
from aimeter_cli.settings.table import ROWS
from tests.support.documents import CHECKOUT, command_reference, configuration_table, updated

_MARKED = "".join(
    f"<!-- {name}: made by make documents -->\nold\n<!-- end of {name} -->\n"
    for name in ("configuration", "commands")
)


def test_the_configuration_table_has_every_setting_once() -> None:
    table = configuration_table()
    for row in ROWS:
        assert table.count(f"| `{row.variable}` |") == 1


def test_the_command_reference_has_an_example_of_every_command() -> None:
    reference = command_reference()
    for entry in COMMANDS:
        for name in getattr(load(entry), "commands", {"": None}):
            assert f"\naimeter {entry.name} {name}".rstrip() in reference


def test_made_parts_replace_the_old_ones_and_nothing_else() -> None:
    text = updated(f"before\n{_MARKED}after\n")
    assert text.startswith("before\n<!-- configuration")
    assert text.endswith("<!-- end of commands -->\nafter\n")
    assert "old" not in text.split("<!-- end of configuration -->")[0].splitlines()
    assert updated(text) == text


def test_a_readme_without_its_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="has 0 parts"):
        updated("nothing here")


def test_the_readme_names_no_command_that_does_not_exist() -> None:
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    known = {entry.name: getattr(load(entry), "commands", {}) for entry in COMMANDS}
    for noun, verb in re.findall(
        r"(?:`|\$ |&& |/bin/)aimeter ([a-z][a-z-]+)(?: ([a-z][a-z-]+))?", readme
    ):
        assert noun in known
        assert not known[noun] or verb in {"", *known[noun]}
