"""Documents that are made from the code say what the code does."""

from __future__ import annotations

import re

import pytest

from aimeter_cli.cli.lazy import load
from aimeter_cli.cli.registry import COMMANDS
from aimeter_cli.settings.table import ROWS
from tests.security.commands import commands
from tests.support.documents import CHECKOUT, configuration_table, updated
from tests.support.reference import command_reference

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


def test_the_command_reference_has_every_option_of_every_command_with_its_help() -> None:
    nouns = command_reference().split("\n### `aimeter ")
    parts = {part.removeprefix("### `aimeter ").partition("`")[0]: part for part in nouns}
    for command in commands():
        noun, _, verb = command.name.partition(" ")
        rows = [row for row in parts[noun].splitlines() if row.startswith("| `-")]
        of_it = [row for row in rows if not verb or verb in re.split(r", | \| ", row)]
        for param in command.params:
            if param.param_type_name == "option" and not param.hidden:
                told = " ".join((param.help or "").split()).replace("|", "\\|")
                assert any(param.opts[0] in row and told in row for row in of_it), param.opts


def test_the_command_reference_changes_with_the_help_of_an_option(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = command_reference()
    loaded = load(next(entry for entry in COMMANDS if entry.name == "audit"))
    monkeypatch.setattr(loaded.params[0], "help", "Something else.")
    monkeypatch.setattr(
        "tests.support.reference.load",
        lambda entry: loaded if entry.name == "audit" else load(entry),
    )
    after = command_reference()
    assert after != before
    assert "| `--remote` | Something else. |" in after


def test_made_parts_replace_the_old_ones_and_nothing_else() -> None:
    text = updated(f"before\n{_MARKED}after\n")
    assert text.startswith("before\n<!-- configuration")
    assert text.endswith("<!-- end of commands -->\nafter\n")
    assert "old" not in text.split("<!-- end of configuration -->")[0].splitlines()
    assert updated(text) == text


def test_a_readme_without_its_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="has 0 parts"):
        updated("nothing here")


def test_links_between_sections_of_the_readme_lead_to_one_and_pictures_are_there() -> None:
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    heads = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", readme, flags=re.M | re.S), re.M)
    anchors = {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}
    targets = re.findall(r"\]\(([^)]+)\)", readme)
    assert len(targets) > 20
    for target in targets:
        if target.startswith("#"):
            assert target[1:] in anchors
        else:
            assert (CHECKOUT / target).is_file()


def test_the_readme_names_no_command_that_does_not_exist() -> None:
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    known = {entry.name: getattr(load(entry), "commands", {}) for entry in COMMANDS}
    for noun, verb in re.findall(
        r"(?:`|\$ |&& |/bin/)aimeter ([a-z][a-z-]+)(?: ([a-z][a-z-]+))?", readme
    ):
        assert noun in known
        assert not known[noun] or verb in {"", *known[noun]}
