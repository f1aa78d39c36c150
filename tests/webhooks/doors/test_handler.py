"""The worker of ``webhooks serve`` that handles what is stored; and what the command refuses."""

from __future__ import annotations

import socket
import sys
from datetime import timedelta
from typing import Any

import pytest

from aimeter_cli.db.engine import Database
from aimeter_cli.signals import StopFlag
from aimeter_cli.webhooks import follow_up as following
from aimeter_cli.webhooks import handler as handling
from aimeter_cli.webhooks.handler import MOST_ATTEMPTS, RETRY_AFTER, Handler
from aimeter_cli.webhooks.intake import Intake
from aimeter_cli.webhooks.reading import incoming
from aimeter_cli.webhooks.registry import HANDLERS
from aimeter_cli.webhooks.storing import arrive, store
from tests.conftest import Cli
from tests.webhooks.conftest import NOW, World
from tests.webhooks.doors.assembly import Parts
from tests.webhooks.doors.signing import SECRET
from tests.webhooks.payloads import Event, failure, payment, renewal
from tests.webhooks.test_drafts import created


def keep(world: World, *events: Event) -> None:
    """Store events as a door does, and no more."""
    import json

    with world.database.write() as session:
        store(session, [arrive(incoming(json.dumps(each), "test")) for each in events], NOW)


def work_off(world: World, **parts: Any) -> Handler:
    """A handler from its start to its end."""
    app = Parts(world.database, world.settings, **parts)
    made = Handler(app, Intake(app), lambda _: None)
    made.start()
    made.close()
    return made


def statuses(world: World) -> dict[str, tuple[str, int]]:
    return {each.event_id: (each.status, each.attempts) for each in world.stored()}


def test_what_is_stored_and_not_handled_is_handled_when_it_starts(any_world: World) -> None:
    keep(any_world, renewal(), failure(), payment())
    assert work_off(any_world).is_healthy
    assert set(statuses(any_world).values()) == {("processed", 1)}


def test_a_failed_event_is_tried_again_after_a_while_and_not_for_ever(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: Any) -> None:
        raise ValueError("not yet")

    keep(world, failure())
    name = failure()["id"]
    with monkeypatch.context() as patch:
        patch.setitem(HANDLERS, "invoice.payment_failed", fails)
        for moment, attempts in ((NOW, 1), (NOW, 1), (NOW + RETRY_AFTER, 2)):
            work_off(world, moment=moment)
            assert statuses(world)[name] == ("failed", attempts)
    with world.database.write() as session:
        [row] = world.stored()
        row.attempts = MOST_ATTEMPTS
        session.merge(row)
    work_off(world, moment=NOW + timedelta(days=9))
    assert statuses(world)[name] == ("failed", MOST_ATTEMPTS)


def test_a_fault_of_ours_at_one_event_stops_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(_: Any) -> None:
        raise RuntimeError("canary")

    monkeypatch.setitem(HANDLERS, "invoice.payment_failed", breaks)
    keep(world, renewal(), failure(), payment())
    work_off(world)
    assert statuses(world)[failure()["id"]] == ("failed", MOST_ATTEMPTS)
    assert statuses(world)[renewal()["id"]] == ("processed", 1)
    [failed] = [each for each in world.stored() if each.status == "failed"]
    assert failed.error == "a fault of aimeter: RuntimeError"


def test_what_follows_an_event_stops_when_the_worker_is_to_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    stops = []

    def follows(*_: Any, stop: StopFlag, **__: Any) -> list[str]:
        stops.append(stop)
        return []

    monkeypatch.setattr(following, "follow_up", follows)
    keep(world, created())
    work_off(world)
    assert [stop.is_set() for stop in stops] == [True]


def test_a_database_that_fails_ends_nothing_and_is_told_by_health(
    world: World, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy.exc import OperationalError

    def fails(*args: Any, **options: Any) -> None:
        raise OperationalError("SELECT 1", {}, Exception("disk I/O error"))

    keep(world, renewal())
    with monkeypatch.context() as patch:
        patch.setattr(handling, "due_events", fails)
        assert not work_off(world).is_healthy
    assert work_off(world).is_healthy
    assert statuses(world) == {renewal()["id"]: ("processed", 1)}


def test_serve_says_what_it_lacks(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli("webhooks", "serve").code == 4
    env = {"STRIPE_WEBHOOK_SECRET": SECRET}
    assert cli("webhooks", "serve", "--path", "x", env=env).code == 2
    assert cli("webhooks", "serve", "--path", "/healthz", env=env).code == 2
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = cli("webhooks", "serve", "--port", port, env=env)
    assert (refused.code, "--port 0" in refused.err) == (1, True)
    for host in ("no such host", "192.0.2.1"):
        nowhere = cli("webhooks", "serve", "--port", "0", "--host", host, env=env)
        assert (nowhere.code, "--host: expected" in nowhere.err) == (1, True)
        assert "--port 0 picks" not in nowhere.err
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    lacks = cli("webhooks", "serve", env=env)
    assert (lacks.code, "aimeter-cli[serve]" in lacks.err) == (4, True)


def test_serve_refuses_a_key_of_another_mode_than_the_rows(world: World, cli: Cli) -> None:
    world.receive({**renewal(), "livemode": True})
    env = {"STRIPE_WEBHOOK_SECRET": SECRET, "STRIPE_API_KEY": "sk_test_1",
           "AI_METERING_BILLING_DRIVER": "stripe"}  # fmt: skip
    with socket.create_server(("127.0.0.1", 0)) as taken:  # it would end there
        refused = cli("webhooks", "serve", "--port", taken.getsockname()[1], env=env)
    assert refused.code == 4
    assert "the key is of test mode, the rows of this database were made in live mode" in (
        refused.err
    )


def test_the_signing_secret_is_shown_masked_only(cli: Cli) -> None:
    secrets = "whsec_aaaaaaaaaaaaaaaaaaaaaaaa1234,whsec_bbbbbbbbbbbbbbbbbbbbbbbbb5678"
    told = cli("config", "show", "--format", "json", env={"STRIPE_WEBHOOK_SECRET": secrets})
    [row] = [each for each in told.json if each["key"] == "stripe_webhook_secret"]
    assert row["value"] == "whsec_…1234, whsec_…5678"


def test_what_waits_although_its_subscription_is_known_is_handled_when_it_starts(
    any_world: World,
) -> None:
    any_world.receive(failure(subscription="sub_New", id="in_New"))
    any_world.subscribe("sub_New", "user:77")
    work_off(any_world)
    assert set(statuses(any_world).values()) == {("processed", 2)}
