"""Faults of the predecessor (PITFALLS.md) that events do not repeat."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from aimeter_cli import events
from aimeter_cli.db.engine import Database
from aimeter_cli.domain.events import EventName
from aimeter_cli.repositories.outbox import emit
from aimeter_cli.services.events.listeners import tell
from tests.conftest import NOW, Cli
from tests.services.events.conftest import Outbox

DEAD = {"name": "dead", "command": ["/bin/sh", "-c", "grep -q '\"number\": 9'"]}


def test_pitfall_2_dead_deliveries_at_the_head_do_not_starve_the_limit(database: Database) -> None:
    outbox = Outbox(database)
    ids = outbox.emit(10)
    outbox.sinks(DEAD)
    assert [outbox.deliver(limit=4).delivered for _ in range(3)] == [0, 0, 1]
    assert [row.event_id for row in outbox.deliveries if row.status == "delivered"] == [ids[9]]


def test_pitfall_3_a_run_with_failures_does_not_exit_with_0(database: Database, cli: Cli) -> None:
    Outbox(database).emit()
    sinks = '[{"name": "dead", "command": ["false"]}]'
    done = cli(
        "events", "deliver", "--as-of", NOW.isoformat(), env={"AI_METERING_EVENT_SINKS": sinks}
    )
    assert done.code == 3


def test_pitfall_26_neither_payload_nor_message_of_an_error_is_logged(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(event: events.Event) -> None:
        raise ValueError(f"cannot handle {event}")

    database.after_commit = lambda emitted: tell(database, emitted)
    with events.listening(events.Event, broken), caplog.at_level(logging.DEBUG):  # noqa: SIM117
        with database.write() as session:
            payload = {"billable": "user:42", "invoice_id": "in_private"}
            emit(session, EventName.PAYMENT_FAILED, billable_id=None, now=NOW, payload=payload)
    assert "broken failed on PaymentFailed: ValueError" in caplog.text
    assert not [text for text in ("in_private", "user:42") if text in caplog.text]


def test_pitfall_26_neither_payload_nor_address_stands_in_a_log_file(
    database: Database, cli: Cli, tmp_path: Path
) -> None:
    Outbox(database).emit()
    sinks = '[{"name": "a", "url": "http://127.0.0.1:1/?token=private", "secret_env": "S"}]'
    environ = {"AI_METERING_EVENT_SINKS": sinks, "S": "whsec_private"}
    log = tmp_path / "log.jsonl"
    done = cli("events", "deliver", "--log-file", log, "--as-of", NOW.isoformat(), env=environ)
    written = log.read_text()
    assert "run ended" in written
    assert not [text for text in ("private", "number") if text in written + done.out + done.err]
