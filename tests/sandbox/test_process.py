"""The sandbox as a process: it starts, stops, and keeps its state through both."""

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from aimeter_cli.sandbox.__main__ import main
from aimeter_cli.sandbox.client import SandboxControl
from aimeter_cli.sandbox.process import command, running
from aimeter_cli.sandbox.server import serve
from tests.sandbox.http_calls import Calls


def test_state_outlives_a_restart(tmp_path: Path) -> None:
    db = tmp_path / "sandbox.db"
    with running(db, latency_ms=1, key_retention="never") as sandbox:
        api = Calls(sandbox.url)
        customer = api.post("/v1/customers").json["id"]
        item = api.item(customer, 100, key="k1")
        sandbox.add_fault("429:nth=3")
        sandbox.move_clock(5000)
        api.get("/v1/account")
        account, ledger = sandbox.health()["account"], sandbox.ledger()
    with running(db) as sandbox:
        api = Calls(sandbox.url)
        assert sandbox.health()["account"] == account
        assert sandbox.ledger() == ledger
        assert sandbox.settings()["latency_ms"] == 1
        assert sandbox.settings()["key_retention"] is None
        assert 4990 < sandbox.health()["offset"] < 5010
        replay = api.post(
            "/v1/invoiceitems", {"customer": customer, "amount": 100, "currency": "usd"}, key="k1"
        )
        assert replay.json == item
        assert replay.headers["Idempotent-Replayed"] == "true"
        assert api.get("/v1/account").status == 429  # the third that the fault saw


def test_a_killed_sandbox_has_kept_what_it_executed(tmp_path: Path) -> None:
    db = tmp_path / "sandbox.db"
    process = subprocess.Popen(command(db), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        api = Calls(json.loads(process.stdout.readline())["url"])
        customer = api.post("/v1/customers").json["id"]
        api.item(customer, 100, key="k1")
        process.kill()
        process.wait()
    with running(db) as sandbox:
        assert [item["amount"] for item in sandbox.items()] == [100]
        again = Calls(sandbox.url).item(customer, 100, key="k1")
        assert again["id"] == sandbox.items()[0]["id"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_at_once_and_cleanly(number: signal.Signals) -> None:
    line = command(faults=["hang:seconds=30"])
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    url = json.loads(process.stdout.readline())["url"]
    with pytest.raises(TimeoutError):
        Calls(url, timeout=0.1).get("/v1/account")
    process.send_signal(number)
    out, errors = process.communicate(timeout=3)
    assert (process.returncode, out, errors) == (0, "", "")


def test_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    code = (
        "import os, signal\n"
        "from aimeter_cli.sandbox.process import running\n"
        "with running() as sandbox:\n"
        "    print(sandbox.url, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    control = SandboxControl(done.stdout.strip())
    end = monotonic() + 5
    while monotonic() < end:
        try:
            control.health()
        except OSError:
            return
    raise AssertionError("the sandbox is still there")


def test_it_starts_with_faults_and_limits_from_the_command_line() -> None:
    options: dict[str, Any] = {"rate_limit": 2, "lock_timeout": "stored", "no_replay_header": True}
    with running(faults=["lost:nth=9", "502:nth=1"], **options) as sandbox:
        assert [fault["fault"] for fault in sandbox.faults()] == ["lost:nth=9", "502:nth=1"]
        settings = sandbox.settings()
        assert (settings["rate_limit"], settings["lock_timeout"]) == (2, "stored")
        assert settings["replay_header"] is False
        statuses = [Calls(sandbox.url).get("/v1/account").status for _ in range(4)]
        assert statuses == [502, 200, 200, 429]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--fault", "explode"], "unknown fault 'explode'"),
        (["--rate-limit", "0"], "rate_limit must be above 0"),
        (["--db", "/nowhere/at/all.db"], "unable to open database file"),
    ],
)
def test_what_cannot_be_run_is_said_and_exits_2(
    capsys: pytest.CaptureFixture[str], options: list[str], problem: str
) -> None:
    assert main(["--port", "0", *options]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert problem in printed.err


def test_a_taken_port_is_said(sandbox: SandboxControl, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--port", sandbox.url.rpartition(":")[2]]) == 2
    assert "Address already in use" in capsys.readouterr().err


def test_a_sandbox_that_does_not_start_is_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError, match="did not start, exit code 2"), running(faults=["x"]):
        raise AssertionError("it started")
    assert "unknown fault 'x'" in capfd.readouterr().err


def test_it_runs_inside_a_thread_until_told_to_stop() -> None:
    stop, ready = threading.Event(), threading.Event()
    urls: list[str] = []

    def started(url: str) -> None:
        urls.append(url)
        ready.set()

    thread = threading.Thread(target=serve, kwargs={"port": 0, "ready": started, "stop": stop})
    thread.start()
    assert ready.wait(2)
    assert Calls(urls[0]).get("/v1/account").status == 200
    stop.set()
    thread.join(2)
    assert not thread.is_alive()


def test_it_imports_nothing_but_the_standard_library_and_itself() -> None:
    code = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "import aimeter_cli.sandbox.__main__, aimeter_cli.sandbox.process\n"
        "loaded = {name for name in set(sys.modules) - before}\n"
        "strangers = {name.partition('.')[0] for name in loaded} - sys.stdlib_module_names\n"
        "ours = {name for name in loaded if name.startswith('aimeter_cli.')}\n"
        "print(strangers, [n for n in ours if not n.startswith('aimeter_cli.sandbox')])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "{'aimeter_cli'} []\n"
