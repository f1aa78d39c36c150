"""Global options go anywhere on the line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aimeter_cli.cli.global_options import hoist
from tests.conftest import Cli


@pytest.mark.parametrize(
    ("line", "hoisted"),
    [
        ("plans list", "plans list"),
        ("plans list --format json", "--format json plans list"),
        ("plans --format=json list -q", "--format=json -q plans list"),
        ("--quiet plans list --as-of 2026-01-01", "--quiet --as-of 2026-01-01 plans list"),
        ("rates convert -- --format 3", "rates convert -- --format 3"),
        ("plans list --format", "--format plans list"),
        ("subscriptions create --meta=-v", "subscriptions create --meta=-v"),
    ],
)
def test_global_options_move_to_the_front(line: str, hoisted: str) -> None:
    assert " ".join(hoist(line.split())) == hoisted


@pytest.mark.parametrize(
    "line",
    ["--format json plans list", "plans --format json list", "plans list --format=json"],
)
def test_the_format_may_stand_anywhere(line: str, cli: Cli) -> None:
    assert cli(*line.split()).out == "[]\n"


def test_an_unknown_format_is_wrong_usage(cli: Cli) -> None:
    done = cli("plans", "list", "--format", "xml")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: Invalid value for '--format': ")


def test_the_database_of_the_command_line_comes_first(cli: Cli, tmp_path: Path) -> None:
    cli("plans", "create", "Pro")
    other = f"sqlite:///{tmp_path / 'other.db'}"
    assert cli("plans", "list", "--database-url", other, "--format", "json").json == []
    assert len(cli("plans", "list", "--format", "json").json) == 1


def test_the_configuration_file_can_be_named(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "other.toml"
    file.write_text('currency = "eur"\n')
    made = cli("plans", "create", "Pro", "--config", file, "--format", "json")
    assert made.json["currency"] == "eur"


def test_as_of_pretends_that_this_is_now(cli: Cli) -> None:
    made = cli("billables", "create", "user:1", "--as-of", "2026-01-31", "--format", "json")
    assert made.json["created_at"] == "2026-01-31T00:00:00Z"


def test_a_bad_as_of_is_wrong_usage(cli: Cli) -> None:
    done = cli("plans", "list", "--as-of", "tomorrow")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "error: --as-of: 'tomorrow' is not a time: expected ISO 8601, such as "
        "2026-10-31T12:00:00Z\n"
    )


def test_as_of_writes_nothing_while_a_live_key_is_set(cli: Cli) -> None:
    env = {"STRIPE_API_KEY": "sk_live_" + "x" * 24, "AI_METERING_STRIPE_LIVE": "true"}
    done = cli("plans", "create", "Pro", "--as-of", "2026-01-01", env=env)
    assert done.code == 4
    assert done.err == "error: --as-of writes nothing while a live Stripe key is set\n"


def test_quiet_says_nothing_but_errors(cli: Cli) -> None:
    assert cli("plans", "list", "-q").err == ""
    assert cli("plans", "show", "x", "-q").err.startswith("error: there is no plan x\n")


def test_errors_are_logged_as_json_lines(cli: Cli, tmp_path: Path) -> None:
    log = tmp_path / "aimeter.log"
    cli("plans", "show", "x", "--log-file", log)
    cli("plans", "show", "y", "--log-file", log)
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(entry["level"], entry["logger"], entry["message"]) for entry in entries] == [
        ("error", "aimeter", "there is no plan x"),
        ("error", "aimeter", "there is no plan y"),
    ]


def test_a_log_that_cannot_be_written_is_a_fault_of_configuration(cli: Cli, tmp_path: Path) -> None:
    done = cli("plans", "list", "--log-file", tmp_path / "none" / "x.log")
    assert done.code == 4
    assert done.err.startswith("error: --log-file: cannot write ")
