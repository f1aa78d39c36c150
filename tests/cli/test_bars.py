"""Bars of ``status`` and ``usage check``: on a terminal beside their figures, nowhere else."""

from __future__ import annotations

from tests.cli.test_main_job import NOW, owe, use
from tests.conftest import Cli

BLOCKS = "▏▎▍▌▋▊▉█░"


def test_a_terminal_shows_the_status_of_what_each_currency_owes(cli: Cli) -> None:
    owe(cli)
    shown = cli("status", *NOW, "--no-color", terminal=True, env={"COLUMNS": "80"})
    lines = [line.split() for line in shown.out.splitlines()]
    assert ["open", "1", "10.00", "USD", "100", "%", "█" * 6] in lines


def test_a_terminal_shows_how_much_of_the_limit_is_used(cli: Cli) -> None:
    owe(cli)
    cli("plans", "update", "pro", "--token-limit", "2,004,000")
    use(cli, "user:7", tokens=5)
    cli("subscriptions", "create", "--billable", "user:7", "--plan", "pro", *NOW)
    use(cli, "user:7", tokens=1_503_000)
    shown = cli("usage", "check", "user:7", *NOW, "--no-color", terminal=True)
    assert f"Used %               75.00 % {'█' * 12}{'░' * 4}\n" in shown.out


def test_a_pipe_gets_no_bars(cli: Cli) -> None:
    owe(cli)
    for words in (("status",), ("usage", "check", "user:42"), ("usage", "report")):
        for name in ("plain", "table", "csv", "json"):
            shown = cli(*words, *NOW, "--format", name).out
            assert shown
            assert not set(BLOCKS) & set(shown)
