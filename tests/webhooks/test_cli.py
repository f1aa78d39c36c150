"""``aimeter webhooks``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.webhooks.conftest import World
from tests.webhooks.payloads import failure, renewal

RENEWED, FAILED = renewal()["id"], failure()["id"]
SHOWN = f"""\
File          Event                                         Type                           Status     Reason
events.jsonl  {RENEWED}  customer.subscription.updated  processed  -
events.jsonl  {FAILED}                 invoice.payment_failed         processed  -

Event                                         Table               ID  Field                 Before    After
{RENEWED}  ai_subscriptions     1  renews_at             none      2027-01-01T00:00:00Z
{RENEWED}  ai_subscriptions     1  current_period_start  none      2026-12-01T00:00:00Z
{RENEWED}  ai_subscriptions     1  current_period_end    none      2027-01-01T00:00:00Z
{FAILED}                 ai_subscriptions     1  grace_period_ends_at  none      2026-12-08T01:00:00Z
{FAILED}                 ai_subscriptions     1  grace_invoice_id      none      in_Nov1
"""  # noqa: E501

pytestmark = pytest.mark.usefixtures("world")


@pytest.fixture
def events(tmp_path: Path) -> Path:
    file = tmp_path / "events.jsonl"
    file.write_text("\n".join(map(json.dumps, (renewal(), failure()))))
    return file


def test_replay_shows_every_event_and_every_change(cli: Cli, events: Path) -> None:
    done = cli("webhooks", "replay", events.name)
    assert done.code == 0
    assert done.out == SHOWN
    assert done.err.strip().endswith("2 processed")


def test_json_has_the_binding_fields(cli: Cli, events: Path) -> None:
    done = cli("webhooks", "replay", events, "--format", "json")
    first, second = done.json
    assert list(first) == ["file", "event_id", "type", "status", "changes", "error"]
    assert first["file"] == str(events)
    assert second == {
        "file": str(events),
        "event_id": failure()["id"],
        "type": "invoice.payment_failed",
        "status": "processed",
        "changes": [
            {"table": "ai_subscriptions", "id": 1, "field": "grace_period_ends_at",
             "before": None, "after": "2026-12-08T01:00:00Z"},
            {"table": "ai_subscriptions", "id": 1, "field": "grace_invoice_id",
             "before": None, "after": "in_Nov1"},
        ],
        "error": None,
    }  # fmt: skip


def test_a_second_replay_says_duplicate(cli: Cli, events: Path) -> None:
    cli("webhooks", "replay", events)
    done = cli("webhooks", "replay", "-", "--format", "json", stdin=events.read_text())
    assert [(each["file"], each["status"]) for each in done.json] == [("-", "duplicate")] * 2


def test_a_dry_run_changes_nothing(cli: Cli, events: Path, world: World) -> None:
    done = cli("webhooks", "replay", events, "--dry-run", "--format", "json")
    assert all(each["changes"] for each in done.json)
    assert "dry run: nothing was changed" in done.err
    assert world.stored() == []


def test_replay_ends_with_3_if_one_is_bad(cli: Cli, events: Path) -> None:
    events.write_text(events.read_text() + '\n{"id": "evt_')
    done = cli("webhooks", "replay", events, "--format", "json")
    assert done.code == 3
    assert sorted(each["status"] for each in done.json) == ["processed", "processed", "quarantined"]
    assert "1 of 3 events failed or were quarantined" in done.err
    assert "rubbish" not in done.out + done.err


def test_a_missing_file_is_wrong_usage(cli: Cli) -> None:
    done = cli("webhooks", "replay", "missing.json")
    assert (done.code, done.out) == (2, "")
    assert "missing.json: there is no such file or folder" in done.err


def test_list_and_show_what_is_stored(cli: Cli, events: Path) -> None:
    cli("webhooks", "replay", events, "--type", "invoice.payment_failed")
    [listed] = cli("webhooks", "list", "--status", "processed", "--format", "json").json
    assert (listed["event_id"], listed["attempts"]) == (failure()["id"], 1)
    assert "payload" not in listed
    shown = cli("webhooks", "show", failure()["id"], "--format", "json").json
    assert json.loads(shown["payload"]) == failure()
    assert cli("webhooks", "list", "--type", "x", "--format", "json").json == []
    assert cli("webhooks", "show", "evt_none").code == 1
