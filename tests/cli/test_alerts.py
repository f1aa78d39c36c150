"""``aimeter alerts`` from outside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Cli
from tests.support.receiver import Receiver, receiving

SECRET = "T00/B00/averysecrettoken"
LOW: dict[str, Any] = {"kinds": ["wallet_low"], "wallet_low": "5"}
NOW = ("--as-of", "2026-11-15T12:00:00Z")
TEN_LATER = ("--as-of", "2026-11-15T12:10:00Z")
SHOWN = """\
Change    Alert    Kind        Detail                                              Opened        \
        Hint
raised    ops      wallet_low  the wallet of user:42 has 4.00 USD, below 5.00 USD  \
2026-11-15T12:00:00Z  aimeter credits add user:42 AMOUNT
1 open; 1 delivered, 0 failed
"""
ALERT: dict[str, Any] = {
    "id": 1, "alert": "ops", "status": "open", "kind": "wallet_low", "subject": "user:42",
    "detail": "the wallet of user:42 has 4.00 USD, below 5.00 USD",
    "opened_at": "2026-11-15T12:00:00Z", "last_told_at": "2026-11-15T12:00:00Z",
    "gone_at": None, "closed_at": None, "hint": "aimeter credits add user:42 AMOUNT",
    "facts": {"balance": "4.000000000", "limit": "5.000000000", "currency": "usd"},
}  # fmt: skip


@pytest.fixture
def told(isolated: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with a line for each alert that a command got."""
    file = isolated / "told"
    script = f"cat >> {file}; echo >> {file}"
    ops = {"name": "ops", "command": ["/bin/sh", "-c", script], **LOW}
    monkeypatch.setenv("AI_METERING_ALERTS", json.dumps([ops]))
    return file


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    ops = {"name": "ops", "slack_env": "SLACK_URL", **LOW}
    monkeypatch.setenv("AI_METERING_ALERTS", json.dumps([ops]))
    with receiving() as made:
        monkeypatch.setenv("SLACK_URL", f"{made.url}/{SECRET}")
        yield made


def test_a_check_tells_what_begins_and_delivers_it_at_once(cli: Cli, told: Path) -> None:
    cli("credits", "add", "user:42", "4", *NOW)
    shown = cli("alerts", "check", *NOW)
    assert (shown.code, shown.err, shown.out) == (0, "", SHOWN)
    assert json.loads(told.read_text())["text"].startswith("[aimeter] ALERT wallet_low: ")
    again = cli("alerts", "check", *TEN_LATER)
    assert (again.code, again.out) == (0, "1 open; 0 delivered, 0 failed\n")
    [job] = [
        job for job in cli("status", "--format", "json").json["jobs"]
        if job["command"] == "alerts check"
    ]  # fmt: skip
    assert job["counts"] == {"raised": 0, "reminded": 0, "resolved": 0, "open": 1}


def test_what_is_open_is_listed(cli: Cli, told: Path) -> None:
    assert cli("alerts", "list").err == "No alert is open: aimeter alerts check looks again.\n"
    cli("credits", "add", "user:42", "4", *NOW)
    cli("alerts", "check", *NOW)
    [row] = cli("alerts", "list", "--format", "json").json
    assert (row, list(row)) == (ALERT, list(ALERT))


def test_a_check_is_one_document_for_programs(cli: Cli, told: Path) -> None:
    cli("credits", "add", "user:42", "4", *NOW)
    document = cli("alerts", "check", "--format", "json", *NOW).json
    assert list(document) == ["dry_run", "open", "told", "delivery"]
    assert [(each["change"], each["kind"]) for each in document["told"]] == [
        ("raised", "wallet_low")
    ]
    assert document["delivery"][0]["delivered"] == 1


def test_a_rehearsal_delivers_nothing(cli: Cli, told: Path) -> None:
    cli("credits", "add", "user:42", "4", *NOW)
    shown = cli("alerts", "check", "--dry-run", *NOW)
    assert shown.out.splitlines()[-1] == "1 open"
    assert shown.err == "dry run: nothing was changed\n"
    assert not told.exists()
    assert cli("alerts", "list", "--all", "--format", "json").json == []


def test_nobody_to_tell_is_pointed_out(cli: Cli) -> None:
    shown = cli("alerts", "check")
    assert (shown.code, shown.err) == (
        0, "nobody is told: [[alerts]] in aimeter.toml names who\n",
    )  # fmt: skip


def test_what_is_not_delivered_is_exit_3_and_waits(cli: Cli, slack: Receiver) -> None:
    slack.answers[0] = 500
    cli("credits", "add", "user:42", "4", *NOW)
    shown = cli("alerts", "check", *NOW)
    assert shown.code == 3
    assert shown.err == (
        "warning: ops: answered 500\nerror: some alerts are not delivered\n"
        "hint: aimeter events list --undelivered shows why.\n"
    )
    assert "ops pending (answered 500)" in cli("events", "list", "--undelivered").out
    jobs = cli("status", "--format", "json").json["jobs"]
    assert {job["command"]: job["exit_code"] for job in jobs}["alerts check"] == 3


def test_without_its_address_a_check_is_a_fault_of_the_configuration(
    cli: Cli, slack: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SLACK_URL")
    shown = cli("alerts", "check", *NOW)
    assert (shown.code, shown.err.splitlines()[0]) == (
        4, "error: alert ops: SLACK_URL is not set",
    )  # fmt: skip


def test_the_address_stands_in_no_output_and_no_log(
    cli: Cli, slack: Receiver, isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("credits", "add", "user:42", "4", *NOW)
    lines = [
        ("alerts", "test", "ops"), ("alerts", "check", *NOW), ("alerts", "list"), ("doctor",),
        ("config", "show"), ("events", "list"), ("status", "--format", "prometheus"),
    ]  # fmt: skip
    for status in (200, 500):
        slack.answers[0] = status
        for line in lines:
            shown = cli(*line, "--verbose", "--log-file", isolated / "log")
            assert SECRET not in shown.out + shown.err, line
    monkeypatch.setenv("SLACK_URL", f"http://127.0.0.1:1/{SECRET}")
    for line in lines:
        shown = cli(*line, "--verbose", "--log-file", isolated / "log")
        assert SECRET not in shown.out + shown.err, line
    assert len(slack.got) >= 2
    assert SECRET not in (isolated / "log").read_text()
    for file in isolated.glob("aimeter.db*"):
        assert SECRET.encode() not in file.read_bytes()


def test_a_fault_of_ours_does_not_tell_the_address(
    cli: Cli, slack: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(f"{slack.url}/{SECRET}")

    monkeypatch.setattr("requests.Session.post", fail)
    shown = cli("alerts", "test", "ops", "--verbose")
    assert shown.code == 70
    assert "RuntimeError: ***" in shown.err
    assert SECRET not in shown.err


def test_a_test_alert_that_does_not_arrive_is_exit_1(cli: Cli, slack: Receiver) -> None:
    assert cli("alerts", "test", "ops").code == 0
    slack.answers[0] = 404
    shown = cli("alerts", "test", "ops")
    assert (shown.code, shown.out) == (1, "")
    assert shown.err.startswith(
        "error: the test alert did not get to $SLACK_URL: answered 404\nhint: "
    )
    assert cli("alerts", "test", "none").code == 1
