"""Shell completion: names from the database, and never a fault, a question or a new file."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Cli

Complete = Callable[..., list[str]]


@pytest.fixture
def complete(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Complete:
    """``complete("plans", "show", "p")`` → what fish is offered for the last word."""

    def offered(*words: str) -> list[str]:
        env = {
            "_AIMETER_COMPLETE": "complete_fish",
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
            "_TYPER_COMPLETE_ARGS": " ".join(["aimeter", *words]),
        }
        done = cli(env=env)
        assert done.err == ""
        return [line.partition("\t")[0] for line in done.out.splitlines() if line]

    return offered


@pytest.fixture
def named(cli: Cli) -> None:
    for name in ("user:42", "user:43", "team:7"):
        cli("billables", "create", name)
    for plan in ("Pro", "Basic"):
        cli("plans", "create", plan)


@pytest.mark.usefixtures("named")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("billables", "show", "u"), ["user:42", "user:43"]),
        (("billables", "show", "user:4"), ["user:42", "user:43"]),
        (("overages", "list", "--billable", "t"), ["team:7"]),
        (("subscriptions", "show", "team:"), ["team:7"]),
        (("subscriptions", "create", "--plan", "p"), ["pro"]),
        (("plans", "show", ""), ["basic", "pro"]),
        (("plans", "create", "X", "--currency", "eu"), ["eur"]),
        (("overages", "list", "--status", "s"), ["synced"]),
        (("overages", "l"), ["list"]),
        (("--format", "js"), ["json", "jsonl"]),
    ],
)
def test_names_and_words_are_completed(
    words: tuple[str, ...], offered: list[str], complete: Complete
) -> None:
    assert sorted(complete(*words)) == offered


def test_a_name_that_a_shell_would_run_is_not_offered(cli: Cli, complete: Complete) -> None:
    made = [cli("billables", "create", name).code for name in ("user:$(reboot)", "user:ok")]
    assert made[1] == 0
    assert complete("billables", "show", "user:") == ["user:ok"]


def test_without_a_database_nothing_is_offered_and_none_is_made(
    complete: Complete, isolated: Path
) -> None:
    (isolated / "aimeter.db").unlink()
    assert complete("plans", "show", "") == []
    assert not (isolated / "aimeter.db").exists()


def test_a_database_that_cannot_be_read_offers_nothing(complete: Complete, isolated: Path) -> None:
    (isolated / "aimeter.db").write_bytes(b"no database " * 1000)
    assert complete("billables", "show", "") == []


def test_a_configuration_that_is_wrong_offers_nothing(complete: Complete, isolated: Path) -> None:
    (isolated / "aimeter.toml").write_text("currency = 7\n")
    assert complete("billables", "show", "") == []


@pytest.mark.usefixtures("named")
def test_bash_completes_what_follows_the_colon(isolated: Path) -> None:
    script = """
        eval "$(aimeter --show-completion bash)"
        COMP_WORDS=(aimeter billables show user : 4); COMP_CWORD=5
        _aimeter_completion aimeter; echo "${COMPREPLY[*]}"
        COMP_WORDS=(aimeter overages list --billable user : 42 --uns); COMP_CWORD=7
        _aimeter_completion aimeter; echo "${COMPREPLY[*]}"
    """
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script], env={**os.environ, "PATH": path},
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["42", "43", "--unsynced"]
