"""Stored events once more, and payloads that are not needed any more."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from aimeter_cli.repositories.inbox_state import unhandled
from aimeter_cli.repositories.webhook_queue import due_events
from aimeter_cli.signals import StopFlag
from aimeter_cli.webhooks import prune as pruning
from aimeter_cli.webhooks.registry import HANDLERS
from tests.conftest import Cli
from tests.webhooks.conftest import NOW, World
from tests.webhooks.doors.test_pull import Listing, set_cursor
from tests.webhooks.payloads import deletion, event, failure, payment, renewal, subscription
from tests.webhooks.test_inbox import set_mode

BROKEN = renewal(at="2026-12-01T00:00:06")
BROKEN["data"]["object"]["ended_at"] = "soon"
WAITING = event("customer.subscription.updated", subscription(id="sub_Later"), "2026-12-02")


def fail_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take in a payment failure while its handler fails."""

    def fails(handling: object) -> None:
        raise ValueError("not yet")

    with monkeypatch.context() as patch:
        patch.setitem(HANDLERS, "invoice.payment_failed", fails)
        assert world.receive(failure()).status == "failed"


def set_status(world: World, event_id: str, status: str) -> None:
    with world.database.write() as session:
        row = next(each for each in world.stored() if each.event_id == event_id)
        row.status = status
        session.merge(row)


@pytest.mark.parametrize("words", [["--all"], ["--status", "failed"], [failure()["id"]]])
def test_a_failed_event_is_handled_by_a_retry(
    world: World, cli: Cli, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    fail_once(world, monkeypatch)
    done = cli("webhooks", "retry", *words, "--format", "json")
    assert (done.code, [each["status"] for each in done.json]) == (0, ["processed"])
    assert world.subscription().grace_invoice_id == "in_Nov1"


def test_what_a_dead_process_left_received_is_handled_by_retry_all(world: World, cli: Cli) -> None:
    world.receive(renewal())
    world.receive(payment())
    set_status(world, payment()["id"], "received")
    done = cli("webhooks", "retry", "--all", "--format", "json")
    assert [(e["event_id"], e["status"]) for e in done.json] == [(payment()["id"], "processed")]


def test_a_retry_of_nothing_says_so(cli: Cli) -> None:
    done = cli("webhooks", "retry", "--all", "--format", "table")
    assert "No stored event is to be handled once more." in done.out + done.err


def test_a_dry_run_of_a_retry_changes_nothing(
    world: World, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_once(world, monkeypatch)
    before = world.state(), world.stored()
    [told] = cli("webhooks", "retry", "--all", "--dry-run", "--format", "json").json
    assert told["changes"]
    assert (world.state(), world.stored()) == before


def test_a_retry_that_fails_again_ends_with_3_and_stops_no_other(
    world: World, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.receive(BROKEN)
    fail_once(world, monkeypatch)
    done = cli("webhooks", "retry", "--all", "--format", "json")
    assert done.code == 3
    assert [each["status"] for each in done.json] == ["failed", "processed"]


def test_what_was_quarantined_for_its_mode_is_retried_by_that_status_alone(
    world: World, cli: Cli
) -> None:
    set_mode(world, livemode=True)
    world.receive(renewal())
    world.receive({"id": "rubbish"})
    words = ("webhooks", "retry", "--status", "quarantined", "--format", "json")
    assert cli("webhooks", "retry", "--all", "--format", "json").json == []
    wrong = cli(*words)
    assert (wrong.code, [each["status"] for each in wrong.json]) == (3, ["quarantined"])
    set_mode(world, livemode=False)
    right = cli(*words)
    assert (right.code, [each["event_id"] for each in right.json]) == (0, [renewal()["id"]])
    assert {each.status for each in world.stored()} == {"processed", "quarantined"}


def test_a_processed_event_stays_as_it_is(world: World, cli: Cli) -> None:
    world.receive(renewal())
    [told] = cli("webhooks", "retry", renewal()["id"], "--format", "json").json
    assert told["status"] == "duplicate"


@pytest.mark.parametrize(
    ("words", "code"),
    [([], 2), (["--all", "--status", "failed"], 2), (["evt_1", "--all"], 2), (["evt_none"], 1)],
)
def test_a_retry_needs_to_know_of_what(world: World, cli: Cli, words: list[str], code: int) -> None:
    assert cli("webhooks", "retry", *words).code == code


def fill(world: World) -> None:
    """One processed, one failed, one that waits, one of rubbish, one never handled."""
    for each in (renewal(), BROKEN, WAITING, {"id": "rubbish"}, deletion()):
        world.receive(each)
    set_status(world, deletion()["id"], "received")
    with world.database.write() as session:
        for row in world.stored():
            if row.event_id == WAITING["id"]:
                row.waits_for = "sub_Later"
                session.merge(row)


def kept(world: World) -> set[str]:
    return {each.event_id for each in world.stored() if each.payload}


def test_prune_empties_what_is_done_with_and_keeps_ids_and_hashes(world: World, cli: Cli) -> None:
    fill(world)
    before = {each.event_id: each.digest for each in world.stored()}
    args = ("--as-of", (NOW + timedelta(days=91)).isoformat(), "webhooks", "prune", "--yes",
            "--older-than", "90d", "--format", "json")  # fmt: skip
    rehearsed = cli(*args, "--dry-run")
    assert len(kept(world)) == 5
    assert (rehearsed.json["pruned"], cli(*args).json["pruned"]) == (3, 3)
    assert kept(world) == {WAITING["id"], deletion()["id"]}
    assert {each.event_id: each.digest for each in world.stored()} == before
    assert cli(*args).json["pruned"] == 0


def test_what_waits_for_a_customer_waits_only_as_long_as_payloads_are_kept(
    world: World, cli: Cli
) -> None:
    body = {"id": "cus_Else", "object": "customer"}
    world.receive(event("customer.updated", body, "2026-11-05"))
    at = (NOW + timedelta(days=91)).isoformat()
    cli("--as-of", at, "webhooks", "prune", "--yes", "--older-than", "90d")
    [pruned] = world.stored()
    assert (pruned.status, pruned.payload, pruned.waits_for) == ("ignored", "", None)


def test_a_failed_event_is_given_up_with_its_payload(world: World, cli: Cli) -> None:
    world.receive(BROKEN)
    world.forget_payloads()
    again = cli("webhooks", "retry", "--all", "--format", "json")
    assert (again.code, again.json) == (0, [])
    with world.database.read() as session:
        assert unhandled(session) == {}
        assert due_events(session, failed_before=NOW, most_attempts=9, limit=9) == []
    [row] = world.stored()
    assert (row.status, bool(row.error)) == ("failed", True)


def test_what_came_later_is_not_pruned_nor_anything_without_consent(world: World, cli: Cli) -> None:
    fill(world)
    at = ("--as-of", (NOW + timedelta(days=89)).isoformat(), "webhooks", "prune")
    assert cli(*at, "--older-than", "90d", "--yes").code == 0
    refused = cli(*at, "--older-than", "1d")
    assert (refused.code, "--yes" in refused.err) == (2, True)
    assert cli(*at, "--older-than", "soon").code == 2
    assert len(kept(world)) == 5


def test_a_pruned_event_is_a_duplicate_shown_as_pruned_and_cannot_be_retried(
    world: World, cli: Cli
) -> None:
    world.receive(renewal())
    world.forget_payloads()
    assert world.receive(renewal()).status == "duplicate"
    shown = cli("webhooks", "show", renewal()["id"])
    assert (shown.code, "has been pruned" in shown.err) == (0, True)
    retried = cli("webhooks", "retry", renewal()["id"])
    assert (retried.code, "has been pruned" in retried.err) == (1, True)


def test_prune_goes_in_batches_to_the_end(
    any_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "_BATCH", 2)
    for n in range(5):
        any_world.receive(event("plan.created", {"id": f"p{n}"}, "2026-11-01", id=f"evt_{n}"))
    stop = StopFlag()
    done = pruning.prune(any_world.database, NOW + timedelta(days=1), stop=stop)
    assert (done.pruned, kept(any_world)) == (5, set())


def test_the_cli_pulls_nothing_without_a_key(world: World, cli: Cli) -> None:
    assert cli("webhooks", "pull").code == 4
    refused = cli("webhooks", "pull", env={"AI_METERING_BILLING_DRIVER": "stripe"})
    assert (refused.code, "STRIPE_API_KEY" in refused.err) == (4, True)
    assert cli("webhooks", "pull", "--since", "last week").code == 2


def test_a_list_in_which_nothing_matches_does_not_say_that_there_is_nothing(
    world: World, cli: Cli
) -> None:
    told = cli("subscriptions", "list", "--status", "expired")
    assert "No subscription matches." in told.out + told.err


def test_a_status_that_does_not_exist_is_an_error_of_usage(cli: Cli) -> None:
    refused = cli("webhooks", "list", "--status", "foo")
    assert (refused.code, "'--status': 'foo' is not one of 'received'" in refused.err) == (2, True)


def test_a_gap_of_the_list_ends_with_3_unless_events_of_that_time_came_another_way(
    world: World, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aimeter_cli.app.App.driver", Listing([]))
    for words, code in (([], 3), ([renewal(at="2026-11-25")], 0)):
        for each in words:
            world.receive(each)
        set_cursor(world, NOW - timedelta(days=40))
        pulled = cli("--as-of", NOW.isoformat(), "webhooks", "pull")
        assert (pulled.code, "30 days only" in pulled.err) == (code, True)


def test_replay_takes_since_as_an_age_or_a_time(world: World, cli: Cli) -> None:
    text = json.dumps([renewal(), deletion()])
    for since in ("20d", "2026-12-11"):
        found = cli(
            "--as-of", NOW.isoformat(), "webhooks", "replay", "-", "--since", since, "--dry-run",
            "--format", "jsonl", stdin=text,
        )  # fmt: skip
        assert [json.loads(line)["event_id"] for line in found.out.splitlines()] == [
            deletion()["id"]
        ]
    assert cli("webhooks", "replay", "-", "--since", "yesterday").code == 2


@pytest.mark.parametrize(
    ("payload", "options", "hint"),
    [(BROKEN, ["--dry-run"], None), ({"id": "x"}, [], "--status quarantined"),
     (BROKEN, [], "retry --all")],
)  # fmt: skip
def test_a_retry_is_advised_only_where_something_stored_has_failed(
    world: World, cli: Cli, payload: dict[str, object], options: list[str], hint: str | None
) -> None:
    done = cli("webhooks", "replay", "-", *options, stdin=json.dumps(payload))
    assert done.code == 3
    assert (hint or "") in done.err
    assert ("retry --all" in done.err) is (hint == "retry --all")


def test_many_results_are_shown_in_short_to_people(
    world: World, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aimeter_cli.cli.webhooks.results.MOST_FOR_PEOPLE", 1)
    text = "\n".join(map(json.dumps, (renewal(), payment(), BROKEN)))
    done = cli("webhooks", "replay", "-", stdin=text)
    assert done.code == 3
    assert renewal()["id"] in done.out
    assert BROKEN["id"] in done.out
    assert payment()["id"] not in done.out
    assert "1 more are not shown" in done.err
