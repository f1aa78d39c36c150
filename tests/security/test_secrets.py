"""Secrets with a known value are in nothing that aimeter prints, writes or stores."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aimeter_cli.app import App
from tests.conftest import Cli, Result
from tests.security.commands import Command, commands

KEY = "rk_test_canary51KeyKeyKeyKeyKey"
SIGNING = ("whsec_canaryOldOldOldOldOld+/=", "whsec_canaryNewNewNewNewNew+/=")
PASSWORD = "canary-p@ss/w:rd?&#"
QUOTED_PASSWORD = "canary-p%40ss%2Fw%3Ard%3F%26%23"
SINK = "canarySinkSecret0123456789"
SLACK = "https://hooks.example.com/services/T0CANARY/B0CANARY/canarySlackToken"
CANARIES = (KEY, *SIGNING, PASSWORD, QUOTED_PASSWORD, SINK, SLACK, "canarySlackToken", "T0CANARY")
URL = f"postgresql://meter:{QUOTED_PASSWORD}@127.0.0.1:1/meter"
CONFIG = """
[billing]
driver = "stripe"
[[event_sinks]]
name = "warehouse"
url = "https://sink.invalid/events"
secret_env = "SINK_SECRET"
[[alerts]]
name = "team"
slack_env = "SLACK_ADDRESS"
"""
ENV = {
    "STRIPE_API_KEY": KEY,
    "STRIPE_WEBHOOK_SECRET": ",".join(SIGNING),
    "STRIPE_API_BASE": "http://127.0.0.1:1",
    "SINK_SECRET": SINK,
    "SLACK_ADDRESS": SLACK,
}
SPEAKING = [
    command for command in commands()
    if command.name not in ("webhooks serve", "sandbox", "init", "sync-stripe-overages")
    and not any(param.required for param in command.params)
]  # fmt: skip


@pytest.fixture
def armed(isolated: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cli]:
    """``cli`` with a secret of each kind, and no address that answers."""
    Path("aimeter.toml").write_text(CONFIG, encoding="utf-8")
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)
    assert found(URL)
    assert cli("config", "show").code == 0
    yield cli
    kept = b"".join(file.read_bytes() for file in isolated.rglob("*") if file.is_file())
    assert found(kept.decode(errors="replace")) == []


def found(text: str) -> list[str]:
    """The secrets in a text, also as JSON and URLs write them, or broken into lines."""
    joined = re.sub(r"\s+", "", text)
    return [each for each in CANARIES if each in joined or json.dumps(each)[1:-1] in joined]


def check(told: Result) -> None:
    assert found(told.out + told.err) == []


@pytest.mark.parametrize("command", SPEAKING, ids=lambda command: command.name)
def test_no_command_tells_a_secret(armed: Cli, command: Command) -> None:
    dry = ["--dry-run"] if command.has("--dry-run") else []
    for more in (["--format=json"], ["--format=table", "--verbose", "--log-file=log"]):
        told = armed(*command.words, *dry, *more)
        assert told.code in (0, 1, 2, 3, 4, 5), told
        check(told)


def test_the_html_page_and_the_metrics_tell_no_secret(armed: Cli) -> None:
    check(armed("usage", "report", "--html=-"))
    check(armed("status", "--format=prometheus"))


def test_a_database_that_does_not_answer_tells_no_password(armed: Cli) -> None:
    for line in (("doctor",), ("plans", "list"), ("config", "show"), ("db", "current")):
        told = armed(*line, "--verbose", "--log-file=log", env={"AI_METERING_DATABASE_URL": URL})
        assert told.code in (0, 1, 5), told
        check(told)
    check(armed("import", "laravel", URL, "--verbose", "--log-file=log"))


def _faults() -> dict[str, Exception]:
    import requests
    import stripe
    from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

    told = " ".join((KEY, *SIGNING, URL, SINK, SLACK))
    return {
        "runtime": RuntimeError(f"all of {told}"),
        "parts": RuntimeError({"headers": {"Authorization": f"Bearer {KEY}"}, "url": URL}),
        "operational": OperationalError("SELECT 1", {"url": URL}, Exception(told)),
        "integrity": IntegrityError(f"INSERT {told}", (KEY, SLACK), Exception(told)),
        "programming": ProgrammingError("SELECT", (SINK,), Exception(URL)),
        "stripe": stripe.AuthenticationError(f"Invalid API Key provided: {KEY}"),
        "permission": stripe.PermissionError(f"The provided key '{KEY}' lacks it"),
        "requests": requests.ConnectionError(f"HTTPSConnectionPool: {SLACK}"),
        "chain": _chained(told),
    }


def _chained(told: str) -> Exception:
    try:
        raise ValueError(told)
    except ValueError as inner:
        outer = RuntimeError("outer")
        outer.__cause__ = inner
        return outer


@pytest.mark.parametrize("fault", _faults())
def test_a_crash_tells_no_secret(armed: Cli, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    error = _faults()[fault]

    def broken(self: App) -> Any:
        self.settings  # noqa: B018  # they have been read
        raise error

    monkeypatch.setattr(App, "database", property(broken))
    for more in ([], ["--verbose", "--log-file=log"]):
        told = armed("plans", "list", *more)
        assert told.code in (1, 4, 5, 70), told
        check(told)
