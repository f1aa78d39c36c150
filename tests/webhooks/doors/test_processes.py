"""Doors that are killed: what was acknowledged is stored, and nothing is handled twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from aimeter_cli.domain.events import EventName
from tests.webhooks.conftest import World
from tests.webhooks.doors.server import deliver, serving
from tests.webhooks.payloads import SUBSCRIPTION, event, failure, subscription

FAILURES = [
    failure(at=f"2026-12-{n % 27 + 1:02d}T{n % 24:02d}:{n % 60:02d}:00", id=f"in_{n}")
    for n in range(240)
]
BODIES = [json.dumps(each).encode() for each in FAILURES]


def effects(world: World) -> Counter[str]:
    """How often each event was told of by ``PaymentFailed``."""
    return Counter(
        payload["stripe_event_id"] for name, payload in world.told()
        if name == EventName.PAYMENT_FAILED
    )  # fmt: skip


def database_of(world: World) -> Path:
    assert world.database.file is not None
    return world.database.file


def stored(world: World) -> int:
    with world.database.read() as session:
        counted = session.connection().exec_driver_sql("SELECT COUNT(*) FROM ai_webhook_events")
        return int(counted.scalar_one())


def wait_until_handled(world: World, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while any(each.status == "received" for each in world.stored()):
        assert time.monotonic() < end
        time.sleep(0.05)


def test_serve_killed_under_load_has_stored_what_it_acknowledged_and_handles_it_once(
    world: World, tmp_path: Path
) -> None:
    log = tmp_path / "serve.log"
    acknowledged: list[bytes] = []
    with serving(database_of(world), log) as (process, url):
        loading = threading.Thread(target=lambda: acknowledged.extend(deliver(url, BODIES)))
        loading.start()
        while stored(world) < 40:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        loading.join()
    assert 0 < len(acknowledged) < len(BODIES)
    ids = {json.loads(each)["id"] for each in acknowledged}
    assert ids <= {each.event_id for each in world.stored()}
    with serving(database_of(world), log) as (process, url):
        wait_until_handled(world)
        assert len(deliver(url, BODIES[:60])) == 60  # Stripe sends again what it heard nothing of
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert {each.status for each in world.stored()} <= {"processed", "stale"}
    assert set(effects(world).values()) == {1}
    assert "Traceback" not in log.read_text()


def test_serve_stops_on_sigterm_after_handling_what_it_acknowledged(
    world: World, tmp_path: Path
) -> None:
    acknowledged: list[bytes] = []
    with serving(database_of(world), tmp_path / "log") as (process, url):
        loading = threading.Thread(target=lambda: acknowledged.extend(deliver(url, BODIES)))
        loading.start()
        while stored(world) < 30:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        loading.join()
        assert process.stderr is not None
        said = process.stderr.read()
    assert said.strip() == "Stopped; everything that was acknowledged is stored."
    found = {each.event_id: each.status for each in world.stored()}
    assert {json.loads(each)["id"] for each in acknowledged} <= set(found)
    assert "received" not in found.values()
    assert set(effects(world).values()) == {1}


def test_a_replay_killed_in_the_middle_is_finished_by_the_next_without_a_second_effect(
    world: World, tmp_path: Path
) -> None:
    file = tmp_path / "events.jsonl"
    more = [
        event("customer.subscription.updated", subscription(id=SUBSCRIPTION, metadata={"n": n}),
              f"2026-11-{n % 28 + 1:02d}T{n % 24:02d}:00:00", id=f"evt_{n}")
        for n in range(350)
    ]  # fmt: skip
    file.write_text("\n".join(map(json.dumps, (*FAILURES[:150], *more))))
    words = [
        sys.executable,
        "-m",
        "aimeter_cli",
        "webhooks",
        "replay",
        str(file),
        "--format",
        "csv",
    ]
    env = {**os.environ, "AI_METERING_DATABASE_URL": f"sqlite:///{database_of(world)}"}
    with subprocess.Popen(words, env=env, stdout=subprocess.DEVNULL) as killed:
        while stored(world) < 200 and killed.poll() is None:
            time.sleep(0.005)
        killed.send_signal(signal.SIGKILL)
    assert killed.returncode == -signal.SIGKILL
    assert stored(world) < 500
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert stored(world) == 500
    assert "received" not in {each.status for each in world.stored()}
    assert set(effects(world).values()) == {1}
