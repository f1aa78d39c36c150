"""Anonymising: nothing tells any more who it was, and every figure is where it was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from decimal import Decimal
from typing import Any, cast

import pytest
from sqlalchemy import Table, select

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.events import EventName
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.errors import Conflict, NotFound
from aimeter_cli.models.alerts import Alert
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.domain_events import DomainEvent
from aimeter_cli.models.items import SyncAttempt
from aimeter_cli.models.overages import Overage
from aimeter_cli.models.registry import METADATA
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.models.usages import Usage
from aimeter_cli.models.webhook_events import WebhookEvent
from aimeter_cli.repositories.outbox import emit
from aimeter_cli.sandbox.client import SandboxControl
from aimeter_cli.services.anonymize import Anonymized, anonymize
from aimeter_cli.services.audit.run import run_audit
from aimeter_cli.services.jobs import running
from aimeter_cli.services.reports.span import span
from aimeter_cli.services.reports.usage import usage_report
from aimeter_cli.webhooks.inbox import receive
from tests.support.world import World, sandbox_settings

NOWHERE = "http://127.0.0.1:9"
ADA = "user:ada@example.com"
REF = BillableRef.parse(ADA)
SECRETS = ("ada@example.com", "Lovelace", "her secret", "ada%40", "\\u00e9lan")


@pytest.fixture
def any_world(any_database: Database, sandbox: SandboxControl) -> Iterator[World]:
    made = World(any_database, sandbox, sandbox_settings(sandbox.url))
    yield made
    made.close()


@pytest.fixture
def world(database: Database) -> World:
    return World(database, cast(SandboxControl, None), sandbox_settings(NOWHERE))


def anonymized(world: World, ref: str = ADA, **options: Any) -> Anonymized:
    return anonymize(world.database, BillableRef.parse(ref), now=world.now, **options)


def known(world: World, ref: str = ADA, **fields: Any) -> int:
    """A person with a name and a usage."""
    billable = world.subscriber(ref, plan=world.plan(), customer=None, **fields)
    world.execute(
        "UPDATE ai_billables SET email = 'ada@example.com', name = 'Lovelace' WHERE id = :id",
        id=billable,
    )
    world.use(100, ref, cost="0.25", meta={"note": "her secret"}, feature="chat")
    world.execute("UPDATE ai_usages SET user_ref = :ref", ref=ref)
    return billable


def gone(world: World) -> None:
    """Every subscription has ended."""
    world.execute("UPDATE ai_subscriptions SET ends_at = started_at, is_live = false")


def texts(world: World) -> dict[str, str]:
    """Everything that stands in the database, by table."""
    with world.database.read() as session:
        return {
            table.name: repr(session.connection().execute(select(*columns)).all())
            for table in METADATA.sorted_tables if (columns := _columns(table))
        }  # fmt: skip


def _columns(table: Table) -> list[Any]:
    return [column for column in table.columns if str(column.type) in ("TEXT", "JSON", "VARCHAR")]


def event(customer: str, created: int, **fields: Any) -> str:
    body = {
        "id": f"evt_{created}", "object": "event", "type": "customer.updated", "livemode": False,
        "created": created, "api_version": "2026-01-01",
        "data": {"object": {"id": customer, "object": "customer", "name": "Lovelace"} | fields},
    }  # fmt: skip
    return json.dumps(body)


def charged(world: World) -> str:
    """The person was charged, their invoice is made, all is settled; the Stripe customer."""
    known(world)
    customer = world.customer()
    world.execute("UPDATE ai_billables SET stripe_customer_id = :id", id=customer)
    world.use(501_000, ADA, cost="0", meta={"note": "her secret"})
    world.sync()
    world.sandbox.person_finalize(customer)
    world.now += timedelta(days=20)
    world.time_passes(4000)
    world.sync()
    gone(world)
    assert [item.status for item in world.items] == ["closed"]
    return customer


def test_nothing_in_the_database_tells_who_it_was(any_world: World) -> None:
    customer = charged(any_world)
    receive(any_world.database, any_world.settings, event(customer, 1, email="ada@example.com"),
            now=any_world.now, source="-")  # fmt: skip
    any_world.execute("UPDATE ai_subscriptions SET meta = :meta", meta='{"note": "her secret"}')
    any_world.execute("UPDATE ai_overages SET last_error = :told", told=f"{ADA}: refused")
    any_world.use(5, "team:7", cost="0")
    any_world.execute("UPDATE ai_usages SET user_ref = :ref", ref=ADA)
    with any_world.database.write() as session:
        told = {"billable": ADA, "meta": {"note": "her secret"}, "user": ADA, "n": 1}
        now = any_world.now
        emit(session, EventName.PAYMENT_FAILED, billable_id=1, now=now, payload=told)
    with pytest.raises(Conflict), running(any_world.database, "a job"):
        raise Conflict(f"{ADA} has no Stripe customer")
    assert any(secret in text for text in texts(any_world).values() for secret in SECRETS)

    done = anonymized(any_world)
    for table, text in texts(any_world).items():
        assert not [secret for secret in SECRETS if secret in text], table
    assert (done.is_new, done.usages, done.webhook_events) == (True, 3, 1)
    assert (done.domain_events, done.sync_attempts) == (1, 1)
    assert done.billable.startswith("user:anon-")
    assert done.stripe_customer_id == customer
    [payload] = [e.payload for e in any_world.rows(DomainEvent) if e.name == "PaymentFailed"]
    assert json.loads(payload) == {
        "billable": done.billable, "meta": None, "user": None, "n": 1,
    }  # fmt: skip
    [attempt] = any_world.rows(SyncAttempt)
    assert json.loads(attempt.request)["metadata"]["aimeter_billable"] == done.billable
    assert any_world.overages[0].last_error == f"{done.billable}: refused"


def test_every_figure_is_where_it_was(any_world: World) -> None:
    customer = charged(any_world)
    before = _figures(any_world)
    done = anonymized(any_world)
    assert _figures(any_world) == before
    [billable] = any_world.rows(Billable)
    assert (billable.ref, billable.stripe_customer_id) == (done.billable, customer)
    assert (billable.email, billable.name) == (None, None)
    assert billable.anonymized_at == any_world.now
    audit = run_audit(any_world.database, driver=any_world.driver)
    assert audit.adds_up


def _figures(world: World) -> tuple[object, ...]:
    report = usage_report(
        world.database, span("UTC", now=world.now, until="2028-01-01"), ("model", "feature")
    )
    kept = {"billable_id", "charge", "cost", "idempotency_key", "occurred_at", "tenant", "feature"}
    usages = [usage.model_dump(include=kept) for usage in world.rows(Usage)]
    overages = [overage.model_dump() for overage in world.rows(Overage)]
    items = [item.model_dump() for item in world.items]
    return report.rows, usages, overages, items


def test_a_rehearsal_changes_nothing(world: World) -> None:
    known(world)
    gone(world)
    before = texts(world)
    done = anonymized(world, dry_run=True)
    assert (done.billable, done.usages) == ("user:anon-…", 1)
    assert texts(world) == before


def test_the_new_reference_is_random(world: World) -> None:
    refs = set()
    for name in ("user:1", "user:2", "user:1"):
        world.use(1, name, cost="0")
        refs.add(anonymized(world, name).billable)
    assert len(refs) == 3
    assert all(BillableRef.parse(ref).type == "user" for ref in refs)


def test_usage_of_the_former_reference_makes_a_new_billable(any_world: World) -> None:
    any_world.use(7, cost="1")
    done = anonymized(any_world, "user:42")
    any_world.use(8, cost="2")
    refs = {billable.id: billable.ref for billable in any_world.rows(Billable)}
    assert list(refs.values()) == [done.billable, "user:42"]
    used = [(refs[usage.billable_id], usage.cost) for usage in any_world.rows(Usage)]
    assert used == [(done.billable, Decimal(1)), ("user:42", Decimal(2))]


def test_a_repeat_of_a_key_is_still_a_repeat(world: World) -> None:
    world.use(7, cost="1", idempotency_key="k", occurred_at="2026-11-02")
    anonymized(world, "user:42")
    assert not world.use(7, cost="1", idempotency_key="k", occurred_at="2026-11-02").is_new


def test_once_more_it_keeps_its_reference_and_loses_what_has_come_since(world: World) -> None:
    known(world)
    gone(world)
    first = anonymized(world)
    world.use(3, first.billable, cost="0", meta={"note": "her secret"})
    again = anonymized(world, first.billable)
    assert (again.billable, again.is_new, again.usages) == (first.billable, False, 1)
    assert again.anonymized_at == first.anonymized_at
    assert anonymized(world, first.billable).usages == 0
    with pytest.raises(NotFound, match=r"there is no billable user:ada@example\.com"):
        anonymized(world)


def test_others_whose_references_begin_alike_stay(world: World) -> None:
    for ref in ("user:4", "user:42"):
        world.use(1, ref, cost="0", meta={"of": ref})
        world.execute("UPDATE ai_usages SET user_ref = :ref WHERE user_ref IS NULL", ref=ref)
    told = "user:4, user:42, user:4.2 and (user:4) of superuser:4: user:4."
    with pytest.raises(Conflict), running(world.database, "a job"):
        raise Conflict(told)
    new = anonymized(world, "user:4").billable
    [_, other] = world.rows(Usage)
    assert (other.user_ref, other.meta) == ("user:42", '{"of": "user:42"}')
    assert (
        f"{new}, user:42, user:4.2 and ({new}) of superuser:4: {new}."
        in texts(world)["ai_job_runs"]
    )


def test_a_reference_that_json_escapes_is_found(world: World) -> None:
    ref = 'user:jos\u00e9"x\\'
    world.use(1, ref, cost="0")
    for number, ascii_ in enumerate((True, False)):
        raw = json.dumps(json.loads(event("cus_1", number, metadata={"b": ref})),
                         ensure_ascii=ascii_)  # fmt: skip
        receive(world.database, world.settings, raw, now=world.now, source="-")
    with world.database.write() as session:
        emit(session, EventName.LIMIT_REACHED, billable_id=1, now=world.now,
             payload={"billable": ref})  # fmt: skip
    done = anonymized(world, ref)
    assert (done.webhook_events, done.domain_events) == (2, 1)
    assert "jos" not in "".join(texts(world).values())


def test_events_of_others_keep_their_payload(world: World) -> None:
    world.use(1, cost="0")
    world.execute("UPDATE ai_billables SET stripe_customer_id = 'cus_1'")
    for number, customer in enumerate(("cus_1", "cus_12", "cusX1")):
        raw = event(customer, number)
        receive(world.database, world.settings, raw, now=world.now, source="-")
    anonymized(world, "user:42")
    kept = [event.payload != "{}" for event in world.rows(WebhookEvent)]
    assert kept == [False, True, True]


def test_a_failed_event_without_its_payload_is_ignored_from_then_on(world: World) -> None:
    world.use(1, cost="0")
    world.execute("UPDATE ai_billables SET stripe_customer_id = 'cus_1'")
    receive(world.database, world.settings, event("cus_1", 1), now=world.now, source="-")
    world.execute("UPDATE ai_webhook_events SET status = 'failed', error = 'about user:42'")
    anonymized(world, "user:42")
    [row] = world.rows(WebhookEvent)
    assert (row.status, row.payload) == ("ignored", "{}")
    assert row.error == "its payload was removed: the billable was anonymised"


UNSETTLED: dict[str, tuple[str, ...]] = {
    "1 live subscriptions": ("UPDATE ai_subscriptions SET ends_at = NULL, is_live = true",),
    "1 overages that are not settled": ("UPDATE ai_overages SET status = 'open'",),
    "1 usages that are not priced or paid":
        ("UPDATE ai_usages SET state = 'unpaid' WHERE charge = 0",),
    "1 wallets that are not empty": (
        ("INSERT INTO ai_credit_wallets (id, billable_id, currency, balance, created_at,"
        " updated_at) SELECT 1, id, 'usd', 1, created_at, created_at FROM ai_billables"),
    ),
    "1 webhook events that are not handled":
        ("UPDATE ai_webhook_events SET status = 'received'",),
    "1 events that are not delivered": (
        ("INSERT INTO ai_domain_events (id, name, billable_id, payload, created_at)"
        " SELECT 99, 'LimitReached', id, '{}', created_at FROM ai_billables"),
        ("INSERT INTO ai_event_deliveries (event_id, sink, status, attempts, not_before)"
        " SELECT id, 's', 'pending', 0, created_at FROM ai_domain_events WHERE id = 99"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", UNSETTLED)
def test_it_is_refused_while_something_is_not_settled(what: str, world: World) -> None:
    known(world)
    world.use(2_000, ADA, cost="0")
    world.execute("UPDATE ai_overages SET status = 'waived'")
    gone(world)
    receive(world.database, world.settings, event(ADA, 1), now=world.now, source="-")
    for statement in UNSETTLED[what]:
        world.execute(statement)
    before = texts(world)
    with pytest.raises(Conflict, match=f"it has {what}; nothing was changed") as caught:
        anonymized(world)
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("Settle that first: ")
    assert texts(world) == before


@pytest.mark.parametrize("status", ["idle", "sending", "unknown", "failed", "held"])
def test_it_is_refused_while_a_request_may_be_sent_again(status: str, any_world: World) -> None:
    """Its bytes must stay as they were sent."""
    charged(any_world)
    lease = "'token'" if status == "sending" else "NULL"
    any_world.execute(
        f"UPDATE ai_invoice_items SET status = :status, carry_out = NULL, lease_token = {lease}",
        status=status,
    )
    before = [attempt.request for attempt in any_world.rows(SyncAttempt)]
    with pytest.raises(Conflict, match="1 invoice items that are not closed"):
        anonymized(any_world)
    assert [attempt.request for attempt in any_world.rows(SyncAttempt)] == before


def test_a_subscription_that_has_ended_unnoticed_is_no_live_one(world: World) -> None:
    known(world)
    world.execute("UPDATE ai_subscriptions SET ends_at = started_at")
    assert anonymized(world).is_new
    [subscription] = world.rows(Subscription)
    assert subscription.is_live


def test_its_result_has_no_trace_of_the_former_reference(world: World) -> None:
    known(world)
    gone(world)
    found = anonymized(world)
    assert "ada" not in repr(asdict(found)).replace(found.billable, "")  # random hex digits


def test_alerts_that_named_them_name_them_no_more(world: World) -> None:
    known(world)
    gone(world)
    wallet = f"the wallet of {ADA} has 4.00 USD"
    facts = {"detail": wallet, "hint": f"aimeter credits add {ADA} AMOUNT"}
    with world.database.write() as session:
        session.add(
            Alert(
                name="ops", kind="wallet_low", subject=ADA, facts=json.dumps(facts),
                opened_at=world.now, last_told_at=world.now,
            )
        )  # fmt: skip
        payload = {"alert": "ops", "kind": "overages_blocked", "detail": f"1: {ADA}"}
        emit(session, EventName.ALERT_RAISED, billable_id=None, now=world.now, payload=payload)
    ref = anonymized(world).billable
    [row] = world.rows(Alert)
    [event] = [row for row in world.rows(DomainEvent) if row.name == "AlertRaised"]
    assert (row.subject, ADA in row.facts, ref in row.facts) == (ref, False, True)
    assert json.loads(event.payload)["detail"] == f"1: {ref}"
