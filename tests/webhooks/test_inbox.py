"""The inbox: stored first, handled once."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlmodel import select

from aimeter_cli.models.installation import Installation
from aimeter_cli.webhooks import inbox, registry
from aimeter_cli.webhooks.handling import Handling
from aimeter_cli.webhooks.results import Outcome
from tests.webhooks.conftest import NOW, World
from tests.webhooks.payloads import event, failure, payment, renewal, subscription

UPDATED = "customer.subscription.updated"


def set_mode(world: World, *, livemode: bool) -> None:
    with world.database.write() as session:
        session.exec(select(Installation)).one().stripe_livemode = livemode


def mode(world: World) -> bool | None:
    with world.database.read() as session:
        return session.exec(select(Installation)).one().stripe_livemode


def receive_text(world: World, raw: bytes | str) -> Any:
    return inbox.receive(world.database, world.settings, raw, now=NOW, source="test")


def test_an_event_is_stored_with_its_payload_and_status(any_world: World) -> None:
    any_world.receive(renewal())
    [row] = any_world.stored()
    assert json.loads(row.payload) == renewal()
    assert (row.event_id, row.livemode, row.type, row.object_id, row.status, row.attempts) == (
        renewal()["id"], False, UPDATED, "sub_Pro1", "processed", 1,
    )  # fmt: skip
    assert (row.created, row.received_at, row.handled_at) == (
        datetime(2026, 12, 1, 0, 0, 5, tzinfo=UTC), NOW, NOW,
    )  # fmt: skip


def test_a_processed_event_is_not_handled_twice(any_world: World) -> None:
    """PITFALLS 22: deduplication."""
    first = any_world.receive(renewal())
    before = any_world.state(), any_world.stored()
    second = any_world.receive(renewal())
    assert (first.status, second.status, second.changes) == ("processed", "duplicate", ())
    assert (any_world.state(), any_world.stored()) == before


def test_another_delivery_of_an_event_is_the_same_event(world: World) -> None:
    world.receive(renewal())
    later = {**renewal(), "pending_webhooks": 0}
    assert world.receive(later).status == "duplicate"
    assert receive_text(world, json.dumps(renewal(), indent=2, sort_keys=True)).status == (
        "duplicate"
    )
    other_version = {**renewal("old"), "id": renewal()["id"]}
    assert world.receive(other_version).status == "duplicate"
    assert len(world.stored()) == 1


def test_the_same_id_with_other_content_is_quarantined(any_world: World) -> None:
    any_world.receive(renewal())
    before = any_world.state()
    forged = renewal()
    forged["data"]["object"]["status"] = "canceled"
    for _ in range(2):
        result = any_world.receive(forged)
        assert (result.event_id, result.status) == (renewal()["id"], "quarantined")
    good, bad = any_world.stored()
    assert result.error == (
        f"an event of this id with other content is stored already; kept as {bad.event_id}"
    )
    assert (good.status, bad.status) == ("processed", "quarantined")
    assert bad.event_id == f"quarantined:{bad.digest}"
    assert json.loads(bad.payload) == forged
    assert any_world.state() == before


def test_the_same_id_of_the_other_mode_is_another_event(world: World) -> None:
    world.receive(renewal())
    assert world.receive({**renewal(), "livemode": True}).status == "quarantined"
    assert [each.livemode for each in world.stored()] == [False, True]
    assert world.receive(renewal()).status == "duplicate"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("", "not a Stripe event: it is no JSON"),
        ("{nonsense", "not a Stripe event: it is no JSON"),
        ("[" * 200_000, "not a Stripe event: it is no JSON"),
        ('{"object": NaN}', "not a Stripe event: it is no JSON"),
        (b"\xff\xfe{", "not a Stripe event: it is no UTF-8 text"),
        ("\0", "not a Stripe event: it is no JSON"),
        ("[]", "not a Stripe event: expected a JSON object"),
        ("{} {}", "not a Stripe event: there is more after its end"),
        ("{}", 'not a Stripe event: "object" is not "event"'),
        (
            json.dumps(subscription()),
            "not a Stripe event but a bare subscription object, without the event around it",
        ),
        (
            '{"object": "v2.core.event", "id": "evt_1"}',
            "a thin v2 event: it carries no object; subscribe to snapshot (v1) events",
        ),
        ('{"object": "event"}', "not a Stripe event: it has no data.object"),
    ],
)
def test_what_is_no_event_is_quarantined_with_its_reason(
    any_world: World, raw: bytes | str, reason: str
) -> None:
    for _ in range(2):
        result = receive_text(any_world, raw)
        assert (result.status, result.type, result.error) == ("quarantined", "unknown", reason)
    [row] = any_world.stored()
    assert (row.event_id, row.status, row.error) == (result.event_id, "quarantined", reason)


@pytest.mark.parametrize("field", ["id", "type", "created", "livemode"])
@pytest.mark.parametrize("value", [None, "", "\0 bad", [], -1, 10**30])
def test_an_envelope_with_a_bad_field_is_quarantined(
    world: World, field: str, value: object
) -> None:
    result = world.receive({**renewal(), field: value})
    assert result.status == "quarantined"
    assert result.error is not None
    assert field in result.error


def test_a_type_without_a_handler_is_kept_and_ignored(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = event("product.updated", {"id": "prod_1", "object": "product"}, "2026-12-01")
    assert world.receive(other).status == "ignored"
    before = world.stored()
    assert world.receive(other).status == "ignored"
    assert world.stored() == before

    def handler(handling: Handling) -> Outcome:
        return Outcome("processed")

    monkeypatch.setitem(registry.HANDLERS, "product.updated", handler)
    assert world.receive(other).status == "processed"


def test_a_failed_event_keeps_its_payload_and_is_retried(
    any_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    healthy = registry.HANDLERS[UPDATED]

    def breaks(handling: Handling) -> Outcome:
        healthy(handling)
        raise KeyError("sk_live_secret")

    monkeypatch.setitem(registry.HANDLERS, UPDATED, breaks)
    before = any_world.state()
    for attempt in (1, 2):
        result = any_world.receive(renewal())
        assert (result.status, result.changes) == ("failed", ())
        assert result.error == "its payload has an unknown shape: KeyError in breaks"
        [row] = any_world.stored()
        assert (row.status, row.attempts, row.error) == ("failed", attempt, result.error)
        assert any_world.state() == before
    monkeypatch.undo()
    assert any_world.receive(renewal()).status == "processed"
    [row] = any_world.stored()
    assert (row.status, row.attempts, row.error) == ("processed", 3, None)


def test_what_the_database_refuses_fails_and_undoes_only_itself(
    any_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(handling: Handling) -> Outcome:
        row = handling.subscription("sub_Pro1")
        handling.change(row, {"billing_mode": "barter"})
        return Outcome("processed")

    monkeypatch.setitem(registry.HANDLERS, UPDATED, breaks)
    result = any_world.receive(renewal())
    assert result.status == "failed"
    assert result.error is not None
    assert result.error.startswith("the database refuses it: ")
    assert any_world.subscription().billing_mode == "plan"


def test_a_process_that_died_between_storing_and_handling_is_made_good(
    any_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(handling: Handling) -> Outcome:
        raise KeyboardInterrupt

    monkeypatch.setitem(registry.HANDLERS, UPDATED, dies)
    with pytest.raises(KeyboardInterrupt):
        any_world.receive(renewal())
    assert [row.status for row in any_world.stored()] == ["received"]
    monkeypatch.undo()
    assert any_world.receive(renewal()).status == "processed"


@pytest.mark.parametrize("pinned", [True, False])
def test_an_event_of_another_mode_than_the_installation_is_quarantined(
    world: World, pinned: bool
) -> None:
    set_mode(world, livemode=pinned)
    theirs, ours = ("test", "live") if pinned else ("live", "test")
    result = world.receive({**renewal(), "livemode": not pinned})
    assert (result.status, result.error) == (
        "quarantined", f"a {theirs}-mode event in a {ours}-mode installation",
    )  # fmt: skip
    assert world.receive({**renewal(), "livemode": pinned}).status == "processed"


@pytest.mark.parametrize(
    ("key", "livemode", "status"),
    [("sk_test_1", True, "quarantined"), ("rk_live_1", False, "quarantined"),
     ("sk_test_1", False, "processed"), ("", True, "processed")],
)  # fmt: skip
def test_until_the_rows_tell_the_key_tells_the_mode(
    world: World, key: str, status: str, *, livemode: bool
) -> None:
    world.settings = replace(world.settings, stripe_api_key=key)
    result = world.receive({**renewal(), "livemode": livemode})
    assert result.status == status
    assert ("-mode installation" in (result.error or "")) == (status == "quarantined")


@pytest.mark.parametrize("livemode", [True, False])
def test_where_nothing_else_tells_the_first_event_tells_the_mode_for_good(
    any_world: World, *, livemode: bool
) -> None:
    first, other = {**renewal(), "livemode": livemode}, {**failure(), "livemode": not livemode}
    assert any_world.receive(first, dry_run=True).status == "processed"
    assert mode(any_world) is None
    assert any_world.receive(first).status == "processed"
    assert mode(any_world) is livemode
    assert any_world.receive(other).status == "quarantined"
    any_world.settings = replace(
        any_world.settings, stripe_api_key=("sk_live_1", "sk_test_1")[livemode]
    )
    assert any_world.receive(other).status == "quarantined"
    assert any_world.subscription().grace_invoice_id is None


def test_an_event_that_is_none_of_ours_tells_no_mode(world: World) -> None:
    stranger = renewal()
    stranger["data"]["object"]["id"] = "sub_ofanotherproduct"
    for each in (stranger, {**stranger, "id": "evt_charge", "type": "charge.succeeded"}):
        assert world.receive(each).status == "ignored"
        assert mode(world) is None
    assert world.receive({**renewal(), "livemode": True}).status == "processed"
    assert mode(world) is True


def test_what_is_no_event_tells_no_mode(world: World) -> None:
    receive_text(world, "{}")
    assert mode(world) is None


def test_an_event_of_another_mode_changes_nothing_however_often_it_comes_until_the_mode_is_right(
    any_world: World,
) -> None:
    set_mode(any_world, livemode=True)
    any_world.receive(renewal())
    [before] = any_world.stored()
    assert (before.event_id, before.status, before.attempts) == (
        renewal()["id"], "quarantined", 1,
    )  # fmt: skip
    assert any_world.receive(renewal()).status == "quarantined"
    assert any_world.stored() == [before]
    set_mode(any_world, livemode=False)
    assert any_world.receive(renewal()).status == "processed"


def test_a_dry_run_stores_nothing_and_shows_the_changes(any_world: World) -> None:
    before = any_world.state()
    rehearsed = any_world.receive(renewal(), dry_run=True)
    assert any_world.stored() == []
    assert any_world.state() == before
    assert any_world.receive(renewal()) == rehearsed
    assert rehearsed.changes


def test_force_handles_a_processed_event_once_more(world: World) -> None:
    world.receive(failure())
    world.update(grace_period_ends_at=None, grace_invoice_id=None)
    assert world.receive(failure()).changes == ()
    assert world.receive(failure(), force=True).status == "processed"
    assert world.subscription().grace_invoice_id == "in_Nov1"


def test_force_does_not_lift_the_order_of_events(world: World) -> None:
    world.receive(failure())
    world.receive(payment())
    assert world.receive(failure(), force=True).status == "stale"
    assert world.subscription().grace_invoice_id is None


def test_an_eventbridge_envelope_is_opened(world: World) -> None:
    wrapped = {
        "detail-type": UPDATED,
        "source": "aws.partner/stripe.com/ed_test_1",
        "detail": renewal(),
    }
    assert world.receive(wrapped).event_id == renewal()["id"]
    assert world.receive(renewal()).status == "duplicate"


def test_one_event_through_many_doors_at_once_is_handled_once(any_world: World) -> None:
    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(any_world.receive, [failure(), payment()] * 6))
    assert sorted(result.status for result in results if result.status != "stale") in (
        ["duplicate"] * 10 + ["processed"] * 2,
        ["duplicate"] * 10 + ["processed"],
    )
    assert [row.attempts for row in any_world.stored()] == [1, 1]
    assert any_world.subscription().grace_period_ends_at is None
    assert [name for name, _ in any_world.told()] == ["PaymentFailed"]


def test_a_pruned_payload_contradicts_nothing_and_its_facts_are_kept(world: World) -> None:
    world.receive(payment())
    world.receive(renewal())
    world.forget_payloads()
    assert world.receive({**payment(), "account": "acct_1"}).status == "duplicate"
    assert world.receive(failure()).error == "the invoice has been settled"
    again = renewal()
    again["id"] = "evt_same_second"
    assert world.receive(again).status == "processed"
