"""``aimeter init`` on a terminal: what it asks, and where the answers go."""

from __future__ import annotations

import os
import pty
import re
import select
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from tests.conftest import Cli

KEY = "sk_test_51Habcdefghijklmnop"


class Answers:
    """Answers to the questions that are asked, by a word in them; what was asked is kept."""

    def __init__(self, answers: dict[str, list[str]]) -> None:
        self._answers = answers
        self.asked: list[str] = []

    def __call__(self, question: str, **options: object) -> str:
        self.asked.append(question)
        assert len(self.asked) < 10, self.asked  # else it would ask for ever
        for word, left in self._answers.items():
            if word in question and left:
                return left.pop(0)
        return str(options.get("default", ""))


@pytest.fixture
def asking(cli: Cli, isolated: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Answers]:
    """``asking(Database=[…], …)`` answers what the next ``init`` in an empty folder asks."""
    monkeypatch.delenv("AI_METERING_DATABASE_URL")
    (isolated / "aimeter.db").unlink()

    def answer(**answers: list[str]) -> Answers:
        prompts = Answers({name.replace("_", " "): found for name, found in answers.items()})
        monkeypatch.setattr("typer.prompt", prompts)
        return prompts

    return answer


def _mode(file: Path) -> int:
    return stat.S_IMODE(os.stat(file).st_mode)


def test_the_key_goes_into_dotenv_which_only_its_owner_reads(
    cli: Cli, asking: Callable[..., Answers], isolated: Path
) -> None:
    asking(Currency=["eur"], Stripe=[KEY])
    done = cli("init", terminal=True)
    assert done.code == 0
    assert _mode(isolated / ".env") == 0o600
    assert KEY in (isolated / ".env").read_text()
    assert KEY not in (isolated / "aimeter.toml").read_text() + done.out + done.err
    shown = {row["key"]: row["value"] for row in cli("config", "show", "--format", "json").json}
    assert (shown["currency"], shown["billing_driver"]) == ("eur", "stripe")
    assert shown["stripe_api_key"] == "sk_test_…mnop"


def test_other_lines_of_dotenv_stay_and_its_mode_becomes_safe(
    cli: Cli, asking: Callable[..., Answers], isolated: Path
) -> None:
    file = isolated / ".env"
    file.write_text("# ours\nOTHER=1\nSTRIPE_API_KEY=sk_test_old1234567\nLAST=2")
    file.chmod(0o644)
    asking(Stripe=[KEY])
    assert cli("init", terminal=True).code == 0
    assert file.read_text() == f"# ours\nOTHER=1\nSTRIPE_API_KEY='{KEY}'\nLAST=2"
    assert _mode(file) == 0o600


def test_what_an_option_said_is_not_asked_and_yes_asks_nothing(
    cli: Cli, asking: Callable[..., Answers], isolated: Path
) -> None:
    prompts = asking()
    cli("init", "--currency", "eur", "--database-url", "sqlite:///x.db", terminal=True)
    assert [question.split()[0] for question in prompts.asked] == ["Stripe"]
    prompts = asking()
    assert cli("init", "--force", "--yes", terminal=True).code == 0
    assert prompts.asked == []
    assert not (isolated / ".env").exists()


def test_an_answer_that_cannot_be_used_is_asked_again_and_never_repeated(
    cli: Cli, asking: Callable[..., Answers]
) -> None:
    prompts = asking(
        Database=["mysql://x/y", "sqlite:///aimeter.db"],
        Currency=["euro", "eur"],
        Stripe=["pk_test_51Habcdefghijklmnop", KEY],
    )
    done = cli("init", terminal=True)
    assert done.code == 0
    assert len(prompts.asked) == 6
    assert "a publishable key" in done.err
    assert "51Habcdefghijklmnop" not in done.err


def test_a_password_of_the_database_goes_into_dotenv(
    cli: Cli, asking: Callable[..., Answers], isolated: Path, empty_pg_url: str
) -> None:
    url = empty_pg_url.replace("://postgres:@", "://postgres:hunter22@")
    assert "hunter22" in url
    asking(Database=[url])
    done = cli("init", terminal=True)
    assert done.code == 0
    assert "hunter22" not in (isolated / "aimeter.toml").read_text() + done.out + done.err
    assert "hunter22" in (isolated / ".env").read_text()
    assert cli("db", "current", "--format", "json").json["is_current"] is True


@pytest.mark.parametrize("agreed", [True, False])
def test_a_live_key_is_stored_only_if_it_is_to_be_used(
    agreed: bool,
    cli: Cli,
    asking: Callable[..., Answers],
    isolated: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asking(Stripe=["sk_live_51Habcdefghijklmnop"])
    monkeypatch.setattr("typer.confirm", lambda *_, **__: agreed)
    assert cli("init", terminal=True).code == 0
    shown = {row["key"]: row["value"] for row in cli("config", "show", "--format", "json").json}
    assert (shown["stripe_live"] == "true", bool(shown["stripe_api_key"])) == (agreed, agreed)
    assert (isolated / ".env").exists() == agreed


def test_nothing_is_asked_where_a_configuration_is_that_must_stay(
    cli: Cli, asking: Callable[..., Answers], isolated: Path
) -> None:
    (isolated / "aimeter.toml").write_text("# mine\n")
    prompts = asking()
    assert cli("init", terminal=True).code == 1
    assert prompts.asked == []


def test_breaking_off_leaves_nothing_behind(
    cli: Cli, isolated: Path, asking: Callable[..., Answers], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = asking()

    def break_off(question: str, **options: object) -> str:
        if "Stripe" in question:
            raise typer.Abort
        return answers(question, **options)

    monkeypatch.setattr("typer.prompt", break_off)
    assert cli("init", terminal=True).code == 1
    assert [file.name for file in isolated.iterdir()] == ["home"]


def _shown_until(terminal: int, end: str) -> str:
    """What the terminal shows until that matches."""
    shown = ""
    while not re.search(end, shown):
        assert select.select([terminal], [], [], 60)[0], f"still waiting for {end!r}: {shown}"
        shown += os.read(terminal, 4096).decode()
    return shown


def test_on_a_real_terminal_the_key_is_not_shown(
    cli: Cli, asking: Callable[..., Answers], isolated: Path
) -> None:
    asking()
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "aimeter_cli", "init"],
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, close_fds=True,
    )  # fmt: skip
    os.close(theirs)
    shown = ""
    for question, answer in (("Database", ""), ("Currency", "eur"), ("Stripe key", KEY)):
        shown += _shown_until(ours, rf"{question}[^\n]*: $")
        os.write(ours, f"{answer}\n".encode())
    shown += _shown_until(ours, "aimeter doctor")
    assert process.wait(60) == 0
    os.close(ours)
    assert KEY not in shown
    assert KEY in (isolated / ".env").read_text()
