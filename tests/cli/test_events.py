"""``aimeter events``, and what ``doctor`` says of it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from aimeter_cli.db.engine import Database
from tests.conftest import NOW, Cli
from tests.services.events.conftest import Outbox

AT = ("--as-of", "2026-11-15T12:00:00Z")
BAD = {"name": "bad", "command": ["/bin/sh", "-c", "echo no >&2; exit 1"]}
GOOD = {"name": "good", "command": ["/bin/sh", "-c", "cat >> good.log"]}


@pytest.fixture
def outbox(database: Database, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Outbox:
    monkeypatch.setenv("AI_METERING_EVENT_SINKS", json.dumps([BAD, GOOD]))
    return Outbox(database)


def test_a_delivery_run_says_what_it_did_and_exits_3_where_something_failed(
    cli: Cli, outbox: Outbox, tmp_path: Path
) -> None:
    [event] = outbox.emit()
    rehearsed = cli("events", "deliver", "--dry-run", *AT)
    assert rehearsed.out.splitlines()[-1] == "1 new, 2 to be delivered, 2 remaining"
    assert not (tmp_path / "good.log").exists()
    done = cli("events", "deliver", "--format", "json", *AT)
    assert done.code == 3
    assert "error: some events are not delivered" in done.err
    told: dict[str, Any] = done.json
    assert set(told) == {
        "run_id", "dry_run", "events", "selected", "delivered", "failed", "deferred", "remaining",
        "seconds", "deliveries",
    }  # fmt: skip
    counts = [told[name] for name in ("events", "selected", "delivered", "failed", "remaining")]
    assert counts == [1, 2, 1, 1, 0]
    [failed] = [each for each in told["deliveries"] if each["sink"] == "bad"]
    assert failed.pop("not_before").endswith("Z")
    assert failed == {
        "event_id": event, "name": "PaymentFailed", "billable": "user:42", "sink": "bad",
        "status": "pending", "attempts": 1, "error": "exit 1: no",
    }  # fmt: skip
    assert json.loads((tmp_path / "good.log").read_text())["id"] == event
    again = cli("events", "deliver", *AT)
    assert (again.code, again.out) == (0, "0 new, 0 delivered, 0 failed, 0 remaining\n")


def test_one_sink_alone_is_named_and_an_unknown_one_refused(cli: Cli, outbox: Outbox) -> None:
    outbox.emit()
    assert cli("events", "deliver", "--sink", "good", *AT).code == 0
    refused = cli("events", "deliver", "--sink", "other", *AT)
    assert (refused.code, refused.err) == (
        2, "error: --sink: there is no sink 'other': bad, good\n",
    )  # fmt: skip


def test_without_a_sink_the_run_says_so_and_is_done(cli: Cli, outbox: Outbox) -> None:
    outbox.emit()
    done = cli("events", "deliver", *AT, env={"AI_METERING_EVENT_SINKS": "[]"})
    assert (done.code, done.out) == (0, "0 new, 0 delivered, 0 failed, 0 remaining\n")
    assert "no sink is configured" in done.err


def test_events_are_listed_shown_and_retried(cli: Cli, outbox: Outbox) -> None:
    first, second = outbox.emit(2)
    cli("events", "deliver", *AT)
    found = cli("events", "list", "--undelivered", "--billable", "user:42", "--format", "json").json
    assert [event["id"] for event in found] == [second, first]
    assert set(found[0]) == {
        "id", "created_at", "name", "billable", "payload", "fanned_out_at", "delivery",
        "deliveries",
    }  # fmt: skip
    assert found[0]["deliveries"][1] | {"delivered_at": ""} == {
        "sink": "good", "status": "delivered", "attempts": 1, "not_before": None,
        "delivered_at": "", "last_error": None,
    }  # fmt: skip
    assert cli("events", "show", first, "--format", "json").json == found[1]
    assert "bad pending (exit 1: no), good delivered" in cli("events", "list").out
    retried = cli("events", "retry", first, "--format", "json").json
    assert [event["deliveries"][0]["attempts"] for event in retried] == [0]
    for words in (("events", "retry"), ("events", "retry", first, "--failed")):
        assert "retry: expected either ID… or --failed" in cli(*words).err
    assert cli("events", "list", "--name", "Nothing").code == 2


def test_pruning_asks_first_and_names_its_option(cli: Cli, outbox: Outbox) -> None:
    outbox.emit(2)
    cli("events", "deliver", *AT, env={"AI_METERING_EVENT_SINKS": json.dumps([GOOD])})
    prune = ("events", "prune", "--older-than", "90d", "--as-of", "2027-03-01T00:00:00Z")
    assert cli(*prune).code == 2
    assert cli(*prune, "--dry-run", "--format", "json").json["events"] == 2
    assert cli(*prune, "--yes", "--format", "json").json == {
        "before": "2026-12-01T00:00:00Z", "events": 2,
    }  # fmt: skip
    assert cli("events", "list", "--failed").err == "No event matches.\n"
    assert "--older-than: expected a duration" in cli(
        "events", "prune", "--older-than", "soon", "--yes"
    ).err  # fmt: skip


def test_doctor_tells_what_was_given_up_and_what_waits_too_long(
    cli: Cli, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(**environ: str) -> list[tuple[str, str]]:
        checks = cli("doctor", "--format", "json", env=environ).json
        return [(row["status"], row["detail"]) for row in checks if row["name"] == "events"]

    assert found(AI_METERING_EVENT_SINKS="[]") == [("skipped", "no sink is configured")]
    assert found() == [("ok", "delivered to bad, good")]
    outbox.emit()
    late = f"not all delivered: the oldest is of {NOW:%Y-%m-%d %H:%M} UTC"
    monkeypatch.setattr(
        "aimeter_cli.doctor.events.database_now", lambda _: NOW + timedelta(hours=2)
    )
    assert found() == [("warning", late)]
    cli("events", "deliver", *AT, env={"AI_METERING_EVENT_MAX_ATTEMPTS": "1"})
    assert found() == [("warning", "1 delivery(ies) given up")]
