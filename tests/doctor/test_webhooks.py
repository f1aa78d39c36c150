"""The doctor says why subscriptions do not follow Stripe, and what to type."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from aimeter_cli.models.billables import Billable
from aimeter_cli.models.installation import Installation
from aimeter_cli.models.job_runs import JobRun
from aimeter_cli.models.webhook_events import WebhookEvent
from aimeter_cli.sandbox.client import SandboxControl
from aimeter_cli.webhooks.registry import HANDLERS
from tests.conftest import Cli
from tests.sandbox.http_calls import Calls
from tests.webhooks.conftest import World
from tests.webhooks.conftest import world as world  # a fixture
from tests.webhooks.payloads import renewal

BILLED = {"AI_METERING_BILLING_DRIVER": "stripe", "STRIPE_API_BASE": "http://127.0.0.1:9"}
KEY = {"STRIPE_API_KEY": "sk_test_doctor"}
NOW = datetime.now(UTC)
Found = tuple[str, str, str | None]


def checks(cli: Cli, name: str, env: Mapping[str, str] | None = None) -> list[Found]:
    done = cli("doctor", "--format", "json", env=env)
    return [(c["status"], c["detail"], c["hint"]) for c in done.json if c["name"] == name]


def only(cli: Cli, name: str, env: Mapping[str, str] | None = None) -> Found:
    [found] = checks(cli, name, env)
    return found


def pulled(world: World, ago: timedelta) -> None:
    at = datetime.now(UTC) - ago
    with world.database.write() as session:
        session.add(
            JobRun(
                id=str(ago), command="webhooks pull", host="here", started_at=at, finished_at=at,
                exit_code=0,
            )
        )  # fmt: skip


def test_missing_stripe_ids_are_counted_with_what_to_type(world: World, cli: Cli) -> None:
    world.subscribe(None, "user:43")
    status, told, hint = only(cli, "stripe ids", BILLED)
    assert (status, told) == (
        "warning",
        (
            "of 2 live subscription(s) 2 lack the Stripe customer, 1 the Stripe subscription: "
            "user:42, user:43"
        ),
    )
    by_hand = "aimeter subscriptions set-stripe-ids user:42 --customer cus_… --subscription sub_…"
    assert hint == f"aimeter subscriptions sync-stripe-ids finds them, in cron too; or {by_hand}"
    off = {**BILLED, "AI_METERING_AUTO_SYNC_STRIPE_IDS": "false"}
    status, told, hint = only(cli, "stripe ids", off)
    assert told.endswith("; auto-sync is off")
    assert hint is not None
    assert "AI_METERING_AUTO_SYNC_STRIPE_IDS=true" in hint
    assert only(cli, "stripe ids") == ("skipped", "the billing driver is null", None)


def test_complete_stripe_ids_are_fine_and_it_is_said_who_keeps_them(world: World, cli: Cli) -> None:
    with world.database.write() as session:
        session.connection().exec_driver_sql("UPDATE ai_billables SET stripe_customer_id = 'cus_1'")
    told = "1 live subscription(s), every id is there"
    assert only(cli, "stripe ids", BILLED) == ("ok", f"{told} (kept by auto-sync)", None)


@pytest.mark.parametrize(
    ("event", "pull", "status"),
    [
        (None, None, "warning"),
        (2, None, "ok"),
        (4, None, "warning"),
        (4, 1, "ok"),
        (None, 4, "warning"),
    ],
)
def test_no_event_for_days_is_a_warning_unless_a_pull_found_none(
    event: int | None, pull: int | None, status: str, world: World, cli: Cli
) -> None:
    if event is not None:
        world.receive(renewal())
        came = {"at": (NOW - timedelta(days=event)).strftime("%Y-%m-%d %H:%M:%S.%f")}
        with world.database.write() as session:
            session.connection().exec_driver_sql(
                "UPDATE ai_webhook_events SET received_at = :at", came
            )
    if pull is not None:
        pulled(world, timedelta(days=pull))
    found, told, hint = only(cli, "last event")
    assert found == status
    assert ("none has ever come" in told, "never pulled" in told) == (event is None, pull is None)
    assert (hint is not None and "aimeter webhooks pull" in hint) == (status == "warning")


def test_where_nothing_is_at_stripe_no_event_is_expected(world: World, cli: Cli) -> None:
    world.update(is_live=False)
    assert only(cli, "last event") == ("skipped", "no live subscription has a Stripe id", None)


@pytest.mark.parametrize(("days", "status"), [(1, "warning"), (8, "ok")])
def test_deliveries_with_a_bad_signature_are_told_for_a_week(
    days: int, status: str, world: World, cli: Cli
) -> None:
    assert only(cli, "signatures")[0] == "ok"
    with world.database.write() as session:
        here = session.get_one(Installation, 1)
        here.deliveries_refused, here.delivery_refused_at = 3, NOW - timedelta(days=days)
        session.add(here)
    found, told, hint = only(cli, "signatures", {"STRIPE_WEBHOOK_SECRET": "whsec_a,whsec_b"})
    assert (found, told.startswith("3 delivery(ies) refused")) == (status, True)
    assert (hint is not None and "STRIPE_WEBHOOK_SECRET" in hint) == (status == "warning")
    assert "whsec_a" not in told
    assert ("2 secret(s) known" in told) == (status == "warning")


def test_what_lies_in_the_inbox_without_effect_is_counted(world: World, cli: Cli) -> None:
    assert checks(cli, "inbox") == [("ok", "every event is handled", None)]
    for number, state in enumerate(("received", "failed", "failed", "quarantined", "ignored")):
        world.receive({**renewal(), "id": f"evt_{number}"})
        waits = "sub_Nobody" if state == "ignored" else None
        values = {"state": state, "waits": waits, "now": NOW.strftime("%Y-%m-%d %H:%M:%S.%f"),
                  "id": f"evt_{number}"}  # fmt: skip
        with world.database.write() as session:
            session.connection().exec_driver_sql(
                "UPDATE ai_webhook_events SET status = :state, waits_for = :waits,"
                " received_at = :now WHERE event_id = :id",
                values,
            )
    found = checks(cli, "inbox")
    assert {status for status, _, _ in found} == {"warning"}
    assert [told for _, told, _ in found] == [
        "2 event(s) failed",
        "1 event(s) stored and not handled: a process was stopped, or is busy",
        "1 quarantined within 7 days: no events, altered ones, or of another mode",
        "1 event(s) wait for 1 subscription(s) not known here",
    ]
    assert all(hint and hint.startswith("aimeter ") for _, _, hint in found)
    assert cli("status", "--format", "json").json["webhooks_due"] == 3


@pytest.mark.parametrize(
    ("waits_for", "kind", "days", "is_told"),
    [
        ("sub_Nobody", "invoice.paid", 6, True),
        ("sub_Nobody", "invoice.paid", 8, False),
        ("sub_Pro1", "invoice.paid", 8, True),
        ("cus_Nobody", "customer.updated", 1, False),
        ("cus_A1", "customer.updated", 8, True),
    ],
)
def test_what_waits_for_nobody_of_ours_is_not_told_for_ever(
    world: World, cli: Cli, waits_for: str, kind: str, days: int, *, is_told: bool
) -> None:
    world.receive(renewal())
    with world.database.write() as session:
        session.exec(select(Billable)).one().stripe_customer_id = "cus_A1"
        event = session.exec(select(WebhookEvent)).one()
        event.type, event.status, event.waits_for = kind, "ignored", waits_for
        event.received_at = NOW - timedelta(days=days)
    told = "1 event(s) wait for 1 subscription(s) not known here" if is_told else None
    assert [said for _, said, _ in checks(cli, "inbox")] == [told or "every event is handled"]
    [listed] = cli("webhooks", "list", "--status", "waiting", "--format", "json").json
    assert (listed["event_id"], listed["waits_for"]) == (renewal()["id"], waits_for)


class Stripe:
    """A sandbox with what it has, and the doctor asking it."""

    def __init__(self, cli: Cli, sandbox: SandboxControl) -> None:
        self._cli, self._sandbox = cli, sandbox
        self.api = Calls(sandbox.url, KEY["STRIPE_API_KEY"])
        sandbox.set(deliveries="by_hand")

    def endpoint(self, *kinds: str, **more: str) -> str:
        form = [("url", "https://example.com/hook"), *(("enabled_events[]", k) for k in kinds)]
        made: str = self.api.post("/v1/webhook_endpoints", form).json["id"]
        if more:
            self.api.post(f"/v1/webhook_endpoints/{made}", dict(more))
        return made

    def says(self, name: str) -> Found:
        env = {**BILLED, **KEY, "STRIPE_API_BASE": self._sandbox.url}
        return only(self._cli, name, env)


@pytest.fixture
def at_stripe(cli: Cli, sandbox: SandboxControl) -> Stripe:
    return Stripe(cli, sandbox)


def test_an_endpoint_must_be_there_be_enabled_and_take_every_type(at_stripe: Stripe) -> None:
    none = "no endpoint at Stripe is subscribed to the events that we need"
    assert at_stripe.says("endpoint")[:2] == ("warning", none)
    at_stripe.endpoint("*", disabled="true")
    assert at_stripe.says("endpoint")[:2] == (
        "warning", f"{none} (disabled: https://example.com/hook)",
    )  # fmt: skip
    at_stripe.endpoint(*[kind for kind in HANDLERS if kind != "invoice.paid"])
    status, told, hint = at_stripe.says("endpoint")
    assert (status, told) == (
        "warning", "https://example.com/hook is not subscribed to invoice.paid",
    )  # fmt: skip
    assert hint == "Add these types to the endpoint at Stripe."
    at_stripe.endpoint("*")
    assert at_stripe.says("endpoint")[0] == "ok"


def test_where_events_are_pulled_no_endpoint_is_needed(at_stripe: Stripe, world: World) -> None:
    pulled(world, timedelta(hours=1))
    status, told, _ = at_stripe.says("endpoint")
    assert (status, told.endswith("; aimeter webhooks pull fetches them")) == ("ok", True)


def test_undelivered_events_are_counted_until_they_have_come_in_otherwise(
    at_stripe: Stripe, world: World, cli: Cli, sandbox: SandboxControl
) -> None:
    at_stripe.endpoint("*")
    customer = at_stripe.api.post("/v1/customers", {"name": "Ada"}).json["id"]
    for name in ("Bea", "Cat"):
        at_stripe.api.post(f"/v1/customers/{customer}", {"name": name})
    assert at_stripe.says("undelivered") == (
        "warning", "2 event(s) of the last 7 days were not delivered",
        "aimeter webhooks pull --undelivered",
    )  # fmt: skip
    env = {**BILLED, **KEY, "STRIPE_API_BASE": sandbox.url}
    assert cli("webhooks", "pull", "--undelivered", env=env).code == 0
    assert at_stripe.says("undelivered")[0] == "ok"


def test_a_stripe_that_does_not_answer_is_a_finding_and_asked_once(
    at_stripe: Stripe, sandbox: SandboxControl, isolated: Path
) -> None:
    sandbox.add_fault("500_before:path=/v1/webhook_endpoints")
    status, told, hint = at_stripe.says("endpoint")
    assert (status, hint) == ("warning", "Try again later.")
    assert told.startswith("Stripe does not tell its webhook endpoints: ")
    assert not any("/v1/events" in entry["path"] for entry in sandbox.ledger())


def test_without_a_key_nothing_is_asked_of_stripe(world: World, cli: Cli) -> None:
    told = ("skipped", "there is no key to ask Stripe with", None)
    assert checks(cli, "endpoint", BILLED) == [told]
    assert checks(cli, "undelivered", BILLED) == []


@pytest.mark.parametrize(
    ("strategy", "told"),
    [
        ("batch", "batch: sync-stripe-overages sends them, and nothing else does"),
        ("immediate", ("immediate: with each usage; sync-stripe-overages sends what did not get "
         "through")),
    ],
)  # fmt: skip
def test_the_strategy_is_told(strategy: str, told: str, cli: Cli) -> None:
    env: dict[str, Any] = {"AI_METERING_OVERAGE_SYNC_STRATEGY": strategy}
    assert only(cli, "strategy", env) == ("ok", told, None)
