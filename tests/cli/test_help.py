"""``--help`` is quick, complete, and shows an example everywhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest

from aimeter_cli.cli.lazy import load
from aimeter_cli.cli.registry import COMMANDS
from tests.conftest import Cli

HEAVY = ("sqlmodel", "sqlalchemy", "stripe", "alembic", "pydantic", "requests", "tabulate")

LOADED = """
import sys
from aimeter_cli.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print("LOADED", *sorted(name for name in sys.modules if "." not in name or "aimeter" in name))
"""


def loaded_modules(*args: str) -> set[str]:
    """The modules that a command line has loaded by its end, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *args],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env=dict(os.environ),
    )
    return set(done.stdout.rsplit("LOADED", 1)[1].split())


def test_help_loads_nothing_heavy_and_no_noun() -> None:
    loaded = loaded_modules("--help")
    assert not loaded & set(HEAVY)
    assert {name for name in loaded if name.startswith("aimeter_cli.")} == {
        "aimeter_cli.cli",
        "aimeter_cli.cli.boundary",
        "aimeter_cli.cli.global_options",
        "aimeter_cli.cli.lazy",
        "aimeter_cli.cli.main",
        "aimeter_cli.cli.registry",
        "aimeter_cli.errors",
    }


def test_the_help_of_a_noun_loads_only_that_noun() -> None:
    loaded = loaded_modules("plans", "--help")
    assert not loaded & (set(HEAVY) - {"pydantic"})
    assert "aimeter_cli.cli.plans" in loaded
    assert "aimeter_cli.cli.rates" not in loaded


@pytest.mark.parametrize("noun", ["plans", "billables", "subscriptions", "rates"])
def test_a_piped_list_loads_neither_rich_nor_stripe_nor_alembic(noun: str, cli: Cli) -> None:
    loaded = loaded_modules(noun, "list")
    assert "sqlmodel" in loaded
    assert not loaded & {"rich", "stripe", "alembic", "requests"}


def test_help_names_every_command_and_every_global_option(cli: Cli) -> None:
    shown = cli("--help")
    assert shown.code == 0
    for entry in COMMANDS:
        assert re.search(rf"\b{entry.name}\b", shown.out)
    for option in (
        "--config --database-url --format --quiet --verbose --no-color --as-of --log-file "
        "--version --install-completion"
    ).split():
        assert option in shown.out


def test_without_a_command_the_help_is_shown(cli: Cli) -> None:
    assert cli().out.rstrip() == cli("--help").out.rstrip()
    assert cli().code == 2


def commands() -> Iterator[tuple[str, Any]]:
    """Every command there is, by its words."""
    for entry in COMMANDS:
        if find_spec(f"aimeter_cli.cli.{entry.module}") is None:
            continue
        command: Any = load(entry)
        inner = getattr(command, "commands", None)
        if inner is None:
            yield entry.name, command
        else:
            yield from ((f"{entry.name} {name}", verb) for name, verb in inner.items())


@pytest.mark.parametrize(("words", "command"), [pytest.param(*c, id=c[0]) for c in commands()])
def test_every_command_has_an_example_of_itself(words: str, command: Any, cli: Cli) -> None:
    assert f"Example: aimeter {words}" in command.help
    assert all("\n" not in each for each in command.help.split("\n\n")), "lines break by themselves"
    shown = cli(*words.split(), "--help")
    assert shown.code == 0
    assert "Example: aimeter" in shown.out
    assert "Global options go anywhere on the line" in shown.out


WRITING = (
    "plans create", "plans update", "plans archive", "billables create", "billables update",
    "subscriptions create", "subscriptions cancel", "subscriptions set-stripe-ids",
    "subscriptions expire", "subscriptions update", "subscriptions sync-stripe-ids",
    "subscriptions reconcile", "rates set", "rates remove", "rates update", "rates confirm",
    "db upgrade", "import laravel",
)  # fmt: skip


@pytest.mark.parametrize("words", WRITING)
def test_what_changes_something_can_be_rehearsed(words: str) -> None:
    command = dict(commands())[words]
    assert "--dry-run" in {option for parameter in command.params for option in parameter.opts}


def test_the_version_is_told_anywhere(cli: Cli) -> None:
    assert cli("--version").out == cli("plans", "list", "--version").out == "aimeter 0.1.0\n"


def test_completion_knows_commands_verbs_and_options(cli: Cli) -> None:
    def complete(line: str) -> list[str]:
        environ = {"_AIMETER_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
        done = cli(env={**environ, "_TYPER_COMPLETE_ARGS": line})
        return [row.split("\t")[0] for row in done.out.splitlines()]

    assert complete("aimeter sub") == ["subscriptions"]
    assert complete("aimeter plans a") == ["archive"]
    assert complete("aimeter --format json plans list --a") == ["--all"]
    assert complete("aimeter plans --format json list --a") == ["--all"]
