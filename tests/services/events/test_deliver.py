"""Events get to every sink that wants them, at least once, whatever a sink or a process does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.events import EventName
from aimeter_cli.errors import ConfigurationError, InvalidInput
from aimeter_cli.events import verify_signature
from aimeter_cli.services.jobs import last_run
from aimeter_cli.signals import StopFlag
from tests.services.events.conftest import Filer, Outbox, filed
from tests.support.receiver import Receiver

NOWHERE = {"name": "gone", "command": ["/no/such/program"]}


@pytest.fixture
def hook(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The receiver as a sink."""
    monkeypatch.setenv("HOOK_SECRET", "whsec_of_the_hook")
    return {"name": "hook", "url": receiver.url, "secret_env": "HOOK_SECRET", "timeout_seconds": 5}


def test_a_command_gets_the_event_on_stdin(outbox: Outbox, filer: Filer, folder: Path) -> None:
    [event] = outbox.emit()
    outbox.sinks(filer())
    report = outbox.deliver()
    assert (report.events, report.delivered, report.exit_code) == (1, 1, 0)
    [file] = folder.iterdir()
    assert json.loads(file.read_text()) == {
        "id": event, "name": "PaymentFailed", "billable": "user:42", "data": {"number": 0},
        "created_at": "2026-11-15T12:00:00Z",
    }  # fmt: skip
    assert outbox.deliver().selected == 0


def test_a_post_is_signed_over_its_time_and_body(
    outbox: Outbox, hook: dict[str, Any], receiver: Receiver
) -> None:
    [event] = outbox.emit()
    outbox.sinks(hook)
    assert outbox.deliver().delivered == 1
    [(headers, body)] = receiver.got
    assert json.loads(body)["id"] == event
    assert headers["Content-Type"] == "application/json"
    assert (headers["Aimeter-Event"], headers["Aimeter-Event-Id"]) == ("PaymentFailed", str(event))
    signed = headers["Aimeter-Signature"]
    now = time.time()
    assert verify_signature(body, signed, "whsec_of_the_hook", now=now)
    assert not verify_signature(body + b" ", signed, "whsec_of_the_hook", now=now)
    assert not verify_signature(body, signed, "another", now=now)
    assert not verify_signature(body, signed, "whsec_of_the_hook", now=now + 400)
    assert not verify_signature(body, "t=x,v1=y", "whsec_of_the_hook", now=now)


def test_the_secret_may_stand_in_dotenv_and_must_stand_somewhere(
    outbox: Outbox, hook: dict[str, Any], receiver: Receiver, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.delenv("HOOK_SECRET")
    outbox.emit()
    outbox.sinks(hook)
    with pytest.raises(ConfigurationError, match="event sink hook: HOOK_SECRET is not set"):
        outbox.deliver()
    (tmp_path / ".env").write_text("HOOK_SECRET=from-the-file\n")
    assert outbox.deliver().delivered == 1
    [(headers, body)] = receiver.got
    assert verify_signature(body, headers["Aimeter-Signature"], "from-the-file", now=time.time())


def test_a_sink_gets_the_events_that_it_wants(outbox: Outbox, filer: Filer) -> None:
    [paid] = outbox.emit(name=EventName.PAYMENT_FAILED)
    [usage] = outbox.emit(name=EventName.USAGE_RECORDED)
    outbox.sinks(filer("usual"), filer("usages", events=["UsageRecorded"]))
    assert outbox.deliver().delivered == 2
    assert sorted(outbox.statuses) == [
        (paid, "usual", "delivered"), (usage, "usages", "delivered"),
    ]  # fmt: skip


def test_a_host_without_sinks_takes_no_event_from_one_that_has_them(
    outbox: Outbox, filer: Filer, folder: Path
) -> None:
    waiting = outbox.emit(3)
    assert (outbox.deliver().events, outbox.deliver().delivered) == (0, 0)
    outbox.sinks(filer())
    assert outbox.deliver().delivered == 3
    assert filed(folder) == waiting


def test_the_first_run_ever_delivers_nothing_older_than_a_day(
    outbox: Outbox, filer: Filer, folder: Path
) -> None:
    outbox.emit(2, days=2)
    [young] = outbox.emit(days=0.5)
    outbox.sinks(filer())
    assert outbox.deliver(dry_run=True).selected == 1
    assert outbox.deliver().events == 3
    assert filed(folder) == [young]
    [late] = outbox.emit(days=2)
    outbox.deliver()
    assert filed(folder) == [young, late]


def test_a_failed_delivery_backs_off_doubling_and_is_given_up_in_the_end(
    outbox: Outbox, hook: dict[str, Any], receiver: Receiver
) -> None:
    [event] = outbox.emit()
    receiver.answers[event] = 500
    outbox.sinks(hook, event_max_attempts=3)
    for wait in (30, 60):
        report = outbox.deliver()
        assert (report.failed, report.exit_code) == (1, 3)
        [told], [row] = report.deliveries, outbox.deliveries
        assert (told.status, told.error, row.last_error) == ("pending", *["answered 500"] * 2)
        assert told.not_before == row.not_before
        outbox.time_passes(wait - 20)
        assert outbox.deliver().selected == 0
        outbox.time_passes(20)
    assert [told.status for told in outbox.deliver().deliveries] == ["failed"]
    outbox.time_passes(10**6)
    assert outbox.deliver().selected == 0
    assert len(receiver.got) == 3


def test_the_back_off_ends_at_six_hours(outbox: Outbox) -> None:
    outbox.emit()
    outbox.sinks(NOWHERE)
    for _ in range(12):
        outbox.deliver()
        outbox.time_passes(6 * 3600 + 5)
    [row] = outbox.deliveries
    assert row.attempts == 12
    [told] = outbox.deliver().deliveries
    assert told.not_before is not None
    waits = told.not_before - row.not_before
    assert timedelta(hours=6) < waits < timedelta(hours=6, minutes=1)


def test_one_failing_event_does_not_hold_up_the_others_which_come_oldest_first(
    outbox: Outbox, hook: dict[str, Any], receiver: Receiver
) -> None:
    ids = outbox.emit(25)
    receiver.answers = {ids[0]: 500, ids[7]: 404}
    outbox.sinks(hook)
    report = outbox.deliver()
    assert (report.delivered, report.failed) == (23, 2)
    assert receiver.ids == ids
    receiver.answers.clear()
    outbox.time_passes(31)
    assert outbox.deliver().delivered == 2
    assert receiver.ids[25:] == [ids[0], ids[7]]


def test_a_silent_sink_is_left_alone_after_five_and_holds_up_no_other(
    outbox: Outbox, filer: Filer, folder: Path
) -> None:
    ids = outbox.emit(12)
    outbox.sinks(NOWHERE, filer())
    report = outbox.deliver()
    assert filed(folder) == ids
    assert (report.delivered, report.failed, report.deferred, report.exit_code) == (12, 5, 5, 3)
    assert report.remaining == 7
    assert all(row.lease_token is None for row in outbox.deliveries)
    errors = {each.error for each in report.deliveries if each.sink == "gone"}
    assert errors == {"/no/such/program cannot be run: No such file or directory"}


@pytest.mark.parametrize(
    ("then", "error"),
    [
        ("exit 7", "exit 7"),
        ("echo first >&2; echo key sk_test_abc123 >&2; exit 1", "exit 1: key ***"),
        ("kill -15 $$", "killed by signal 15"),
    ],
)
def test_a_command_that_fails_says_why_without_secrets(
    database: Database, filer: Filer, then: str, error: str
) -> None:
    outbox = Outbox(database)
    outbox.emit()
    outbox.sinks(filer(then=then))
    assert [each.error for each in outbox.deliver().deliveries] == [error]


def test_a_command_whose_time_is_up_is_killed_with_what_it_started(
    database: Database, filer: Filer, folder: Path
) -> None:
    outbox = Outbox(database)
    outbox.emit()
    outbox.sinks(filer(then='sleep 300 & echo $! > "$0.child"; wait', timeout_seconds=1))
    assert [each.error for each in outbox.deliver().deliveries] == ["not done in 1 s"]
    child = int(Path(f"{folder}.child").read_text())
    assert _is_dead(child)


def _is_dead(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return True
    return state in "ZX"


def test_a_command_need_not_read_and_may_leave_something_running(
    database: Database, folder: Path
) -> None:
    outbox = Outbox(database)
    outbox.emit()
    leave = ["/bin/sh", "-c", "sleep 300 & echo $! > $0/child", str(folder)]
    outbox.sinks({"name": "quick", "command": leave})
    assert outbox.deliver().delivered == 1
    os.kill(int((folder / "child").read_text()), signal.SIGKILL)


def test_no_redirect_is_followed(
    database: Database, hook: dict[str, Any], receiver: Receiver
) -> None:
    outbox = Outbox(database)
    [event] = outbox.emit()
    receiver.answers[event], receiver.location = 307, "http://127.0.0.1:9/elsewhere"
    outbox.sinks(hook)
    assert [each.error for each in outbox.deliver().deliveries] == ["answered 307"]
    assert len(receiver.got) == 1


def test_an_address_stands_in_no_error(database: Database, hook: dict[str, Any]) -> None:
    outbox = Outbox(database)
    outbox.emit()
    outbox.sinks(hook | {"url": "http://127.0.0.1:1/hook?token=verysecret"})
    [told] = outbox.deliver().deliveries
    assert told.error == "ConnectionError"


def test_the_limit_is_that_of_each_sink_and_the_rest_remains(
    outbox: Outbox, filer: Filer, folder: Path
) -> None:
    ids = outbox.emit(15)
    outbox.sinks(filer("a"), filer("b"))
    assert outbox.deliver(limit=12, dry_run=True).selected == 24
    report = outbox.deliver(limit=12)
    assert (report.delivered, report.remaining, report.exit_code) == (24, 6, 0)
    assert filed(folder) == sorted(ids[:12] * 2)


def test_a_dry_run_shows_what_is_due_and_changes_nothing(
    outbox: Outbox, filer: Filer, folder: Path
) -> None:
    ids = outbox.emit(3)
    outbox.sinks(filer())
    report = outbox.deliver(dry_run=True, limit=2)
    assert (report.events, report.remaining, report.run_id) == (3, 3, None)
    assert [(each.event_id, each.status) for each in report.deliveries] == [
        (one, "due") for one in ids[:2]
    ]
    assert (outbox.deliveries, filed(folder)) == ([], [])


def test_one_sink_alone_can_be_served(outbox: Outbox, filer: Filer) -> None:
    outbox.emit()
    outbox.sinks(filer("a"), filer("b"))
    assert [each.sink for each in outbox.deliver(only=["b"]).deliveries] == ["b"]
    assert outbox.deliver().delivered == 1
    with pytest.raises(InvalidInput, match="there is no sink 'c': a, b"):
        outbox.deliver(only=["c"])


def test_a_run_is_a_job_with_its_counts(outbox: Outbox) -> None:
    outbox.emit()
    outbox.sinks(NOWHERE)
    report = outbox.deliver()
    with outbox.database.read() as session:
        job = last_run(session, "events deliver")
    assert job is not None
    assert (job.id, job.exit_code) == (report.run_id, 3)
    assert json.loads(job.counts or "") == {
        "events": 1, "selected": 1, "delivered": 0, "failed": 1, "deferred": 0, "remaining": 0,
    }  # fmt: skip


def test_a_run_that_is_stopped_begins_nothing(database: Database, filer: Filer) -> None:
    outbox = Outbox(database)
    outbox.emit(3)
    outbox.sinks(filer())
    outbox.deliver(limit=1)
    stop = StopFlag()
    stop.stop(signal.SIGTERM)
    assert outbox.deliver(stop=stop).selected == 0
    assert [status for *_, status in outbox.statuses] == ["delivered", "pending", "pending"]


def test_a_process_that_is_told_to_stop_settles_and_gives_back_the_rest(
    database: Database, filer: Filer, folder: Path
) -> None:
    outbox = Outbox(database)
    outbox.emit(9)
    stopped = _process(database, filer(then="kill -TERM $PPID; sleep 0.2"))
    stopped.communicate(timeout=60)
    assert stopped.returncode == 128 + signal.SIGTERM
    rows = outbox.deliveries
    assert [row.event_id for row in rows if row.status == "delivered"] == filed(folder)
    assert 1 <= len(filed(folder)) < 9
    assert all(row.lease_token is None for row in rows)


def _process(database: Database, *sinks: dict[str, Any]) -> subprocess.Popen[str]:
    environ = {
        "AI_METERING_DATABASE_URL": database.url.render_as_string(hide_password=False),
        "AI_METERING_EVENT_SINKS": json.dumps(sinks),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "aimeter_cli", "events", "deliver", "--as-of", "2026-11-15T12:00Z"],
        env={**os.environ, **environ}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_two_processes_at_once_deliver_each_event_once(
    outbox: Outbox, filer: Filer, folder: Path
) -> None:
    ids = outbox.emit(80)
    both = [_process(outbox.database, filer()) for _ in range(2)]
    for process in both:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, out + err
    assert Counter(filed(folder)) == Counter(ids)
    assert {status for *_, status in outbox.statuses} == {"delivered"}


def test_what_a_killed_process_had_in_hand_is_delivered_again_once_its_lease_is_over(
    outbox: Outbox, filer: Filer, folder: Path
) -> None:
    ids = outbox.emit(3)
    once = f'[ -e "{folder}.killed" ] || {{ touch "{folder}.killed"; kill -9 $PPID; }}'
    killed = _process(outbox.database, filer(then=once))
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    outbox.sinks(filer())
    assert outbox.deliver().selected == 0, "its lease still holds"
    outbox.time_passes(3600)
    assert outbox.deliver().delivered == 3
    assert filed(folder) == sorted([ids[0], *ids])
