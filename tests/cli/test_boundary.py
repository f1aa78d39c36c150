"""One boundary turns every error into a message on stderr and an exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from aimeter_cli.cli import boundary
from aimeter_cli.db.engine import Database
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.errors import ConfigurationError, Conflict, Interrupted
from aimeter_cli.repositories.billables import get_or_create_billable
from tests.conftest import NOW, Cli


def _raise(error: BaseException) -> Callable[[], Any]:
    def run() -> Any:
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "code", "err"),
    [
        (Conflict("taken", hint="another"), 1, "error: taken\nhint: another\n"),
        (ConfigurationError("no key"), 4, "error: no key\n"),
        (Conflict("\x1b[2J[red]x"), 1, "error: \\x1b[2J[red]x\n"),
        (Interrupted(15), 143, "error: interrupted; what was in flight has been settled\n"),
        (typer.Abort(), 1, "error: aborted; nothing was changed\n"),
        (KeyboardInterrupt(), 130, ""),
        (BrokenPipeError(), 0, ""),
    ],
)
def test_an_error_has_a_message_and_a_code(
    error: BaseException, code: int, err: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert boundary.exit_code(_raise(error)) == code
    assert capsys.readouterr() == ("", err)


def _interrupted_question() -> None:
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        raise typer.Abort from None  # as Typer's prompts do


def test_ctrl_c_at_a_question_ends_with_130_on_a_line_of_its_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert boundary.exit_code(_interrupted_question) == 130
    assert capsys.readouterr().err == "\nerror: aborted; nothing was changed\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("overages", "explain", "x"), "'ID': expected a whole number"),
        (("overages", "list", "--limit", "-1"), "'--limit': expected at least 1"),
    ],
)
def test_a_bad_number_is_refused_in_plain_words(
    words: tuple[str, ...], told: str, cli: Cli
) -> None:
    done = cli(*words)
    assert (done.code, done.err.splitlines()[0]) == (2, f"error: Invalid value for {told}")


@pytest.mark.parametrize(("result", "code"), [(None, 0), (0, 0), (3, 3), ("text", 0)])
def test_a_command_that_ends_well_ends_with_its_own_code(result: object, code: int) -> None:
    assert boundary.exit_code(lambda: result) == code


def _broken(*_args: object, **_options: object) -> None:
    raise KeyError("sk_test_4eC39HqLyjWDarjtT1zdp7dc at postgresql://u:hunter22@h/d")


def test_a_fault_of_ours_is_one_line_without_a_traceback(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aimeter_cli.services.plans.list_plans", _broken)
    done = cli("plans", "list")
    assert done.code == 70
    first, second = done.err.splitlines()
    assert first.startswith("error: KeyError at cli/plans.py:")
    assert first.endswith(": this is a fault of aimeter")
    assert second == "hint: Please report it, with what --verbose adds."


def test_its_traceback_holds_no_secrets(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aimeter_cli.services.plans.list_plans", _broken)
    done = cli("plans", "list", "--verbose", env={"STRIPE_API_KEY": "sk_test_of_no_usual_shape"})
    assert "Traceback (most recent call last)" in done.err
    assert "*** at postgresql://u:***@h/d" in done.err
    assert "4eC39" not in done.err
    assert "hunter22" not in done.err


@pytest.mark.parametrize(
    ("line", "err"),
    [
        (
            "plan list",
            "error: No such command 'plan'. Did you mean 'plans'?\nhint: aimeter --help\n",
        ),
        (
            "plans lst",
            ("error: No such command 'lst'. Did you mean 'list'?\nhint: aimeter plans --help\n"),
        ),
        (
            "plans list --nothing",
            ("error: No such option: --nothing\nhint: aimeter plans list --help\n"),
        ),
        ("plans show", "error: Missing argument 'SLUG'.\nhint: aimeter plans show --help\n"),
        (
            "plans create P --token-limit 1k",
            ("error: --token-limit: '1k' is not a whole number such as 1000000\n"),
        ),
    ],
)
def test_wrong_usage_says_what_and_where_to_read(line: str, err: str, cli: Cli) -> None:
    done = cli(*line.split())
    assert (done.code, done.out, done.err) == (2, "", err)


def test_an_unreachable_database_is_exit_5_and_shows_no_password(cli: Cli) -> None:
    url = "postgresql+psycopg://me:hunter22@127.0.0.1:1/none"
    done = cli("plans", "list", "--database-url", url)
    assert done.code == 5
    assert done.err.startswith(
        "error: cannot open the database postgresql+psycopg://me:***@127.0.0.1:1/none: "
    )
    assert "hunter22" not in done.err


def test_an_unmigrated_database_is_exit_5_and_says_what_to_type(
    cli: Cli, empty_pg_url: str
) -> None:
    done = cli("plans", "list", "--database-url", empty_pg_url)
    assert done.code == 5
    assert done.err.splitlines()[-1] == "hint: aimeter db upgrade"


def test_a_damaged_database_is_exit_5(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "broken.db"
    file.write_text("this is no database" * 100)
    done = cli("plans", "list", "--database-url", f"sqlite:///{file}")
    assert done.code == 5
    assert done.out == ""
    assert "hint: database_url names another file, or this one is damaged." in done.err


def test_a_file_that_cannot_be_opened_is_not_called_a_server(cli: Cli, tmp_path: Path) -> None:
    done = cli("plans", "list", "--database-url", f"sqlite:///{tmp_path}")
    assert done.code == 5
    assert done.err.endswith("and that its file and folder can be read and written.\n")


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        (
            "server closed the connection",
            "Check that it is reachable (aimeter db current) and run this again.",
        ),
        ("database or disk is full", "Make room on its disk, then run this again."),
        (
            "attempt to write a readonly database",
            "Its file and folder must be writable for who runs this.",
        ),
    ],
)
def test_a_database_that_fails_under_way_is_exit_5_and_says_what_helps(
    reason: str, hint: str, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy.exc import OperationalError

    def fail(*_args: object, **_options: object) -> None:
        raise OperationalError("SELECT 1", {}, Exception(f"{reason}\nmore"))

    monkeypatch.setattr("aimeter_cli.services.plans.list_plans", fail)
    done = cli("plans", "list")
    told = f"error: the database failed: {reason}\nhint: {hint}\n"
    assert (done.code, done.out, done.err) == (5, "", told)


def test_a_reader_that_goes_away_ends_the_writing_quietly(cli: Cli, database: Database) -> None:
    with database.write() as session:
        for number in range(1000):  # more than a pipe holds
            get_or_create_billable(session, BillableRef("user", f"{number:0100}"), NOW)
    writer = subprocess.Popen(
        [sys.executable, "-m", "aimeter_cli", "billables", "list", "--format", "jsonl"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(os.environ),
    )
    assert writer.stdout is not None
    assert writer.stderr is not None
    assert writer.stdout.readline().startswith(b'{"id": 1,')
    writer.stdout.close()
    errors = writer.stderr.read()
    writer.stderr.close()
    assert (writer.wait(60), errors) == (0, b"")


def test_a_full_disk_is_an_error_and_no_fault_of_ours(cli: Cli) -> None:
    cli("plans", "create", "Pro")
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(
            [sys.executable, "-m", "aimeter_cli", "plans", "list"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (
        1,
        "error: cannot write the output: No space left on device\n",
    )


def test_ctrl_c_ends_with_130(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_args: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("aimeter_cli.services.plans.list_plans", interrupt)
    assert cli("plans", "list").code == 130


def test_the_module_is_the_command(cli_process: Cli) -> None:
    done = cli_process("plans", "list", "--format", "json")
    assert (done.code, done.out) == (0, "[]\n")
    assert done.err.startswith("warning: there was no database yet: sqlite:///")
