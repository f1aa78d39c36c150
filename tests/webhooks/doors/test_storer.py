"""The worker that stores deliveries, whatever becomes of those who wait for it."""

from __future__ import annotations

import json
import queue

import pytest

from aimeter_cli.webhooks import storer as storing
from aimeter_cli.webhooks.reading import incoming
from aimeter_cli.webhooks.storer import Kept, Storer
from aimeter_cli.webhooks.storing import arrive
from tests.webhooks.conftest import World
from tests.webhooks.doors.assembly import parts_of
from tests.webhooks.payloads import Event, failure, payment


def submit(storer: Storer, event: Event) -> Kept:
    return storer.submit(arrive(incoming(json.dumps(event), "test")))


def test_a_delivery_that_nobody_waits_for_any_more_is_stored_and_stops_no_other(
    world: World,
) -> None:
    storer = Storer(parts_of(world), lambda: None)
    submit(storer, failure()).cancel()  # as asyncio does where the caller has gone
    storer.start()
    assert submit(storer, payment()).result(10)
    storer.close()
    assert {each.event_id for each in world.stored()} == {failure()["id"], payment()["id"]}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_worker_that_has_died_holds_up_no_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storing, "_MOST_WAITING", 1)
    storer = Storer(parts_of(world), lambda: None)
    monkeypatch.setattr(storer, "_store", lambda *_, **__: exit_thread())
    submit(storer, failure())
    storer.start()
    storer._thread.join(10)
    submit(storer, payment())
    with pytest.raises(queue.Full):
        submit(storer, payment())
    storer.close()


def exit_thread() -> None:
    raise SystemExit
