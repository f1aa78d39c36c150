"""Trials and their ends."""

import pytest

from aimeter_cli.sandbox.client import SandboxControl
from aimeter_cli.sandbox.periods import period_end
from tests.sandbox.http_calls import Calls
from tests.sandbox.passing_time import (
    DAY,
    FINALIZED,
    HOUR,
    PAID,
    START,
    URL,
    Told,
    at,
    statuses,
    subscribe,
)


def test_a_trial_is_announced_three_days_before_its_end(
    api: Calls, clocked: SandboxControl, customer: str
) -> None:
    made = subscribe(api, customer, trial_period_days="14")
    assert (made["status"], made["trial_end"]) == ("trialing", made["created"] + 14 * DAY)
    assert clocked.invoices()[0]["total"] == 0
    told = Told(clocked)
    at(clocked, START + 11 * DAY + 60)
    assert told.types() == ["customer.subscription.trial_will_end"]
    at(clocked, START + 14 * DAY + 2 * HOUR)
    events = told.since()
    assert [event["type"] for event in events] == [
        "invoice.created", "customer.subscription.updated", *FINALIZED, *PAID,
    ]  # fmt: skip
    assert statuses(events) == [("trialing", "active")]
    assert events[-2]["data"]["object"]["total"] == 4900
    item = api.get(f"{URL}/{made['id']}").json["items"]["data"][0]
    assert item["current_period_end"] == period_end(made["trial_end"], "month", 1)


@pytest.mark.parametrize(
    ("behavior", "status", "event"),
    [
        ("pause", "paused", "customer.subscription.paused"),
        ("cancel", "canceled", "customer.subscription.deleted"),
    ],
)
def test_a_trial_without_payment_method_ends_as_asked(
    api: Calls, clocked: SandboxControl, customer: str, behavior: str, status: str, event: str
) -> None:
    name = "trial_settings[end_behavior][missing_payment_method]"
    made = subscribe(api, customer, trial_period_days="2", **{name: behavior})
    at(clocked, START + 3 * DAY)
    assert api.get(f"{URL}/{made['id']}").json["status"] == status
    assert len(clocked.events(event)) == 1
    if status == "paused":
        resumed = api.post(f"{URL}/{made['id']}/resume", {"billing_cycle_anchor": "now"}).json
        assert resumed["status"] == "active"
        assert len(clocked.events("customer.subscription.resumed")) == 1


def test_a_trial_can_be_ended_at_once(api: Calls, clocked: SandboxControl, customer: str) -> None:
    made = subscribe(api, customer, trial_period_days="14")
    ended = api.post(f"{URL}/{made['id']}", {"trial_end": "now"}).json
    item = ended["items"]["data"][0]
    assert (ended["status"], item["current_period_start"]) == ("active", ended["trial_end"])
    at(clocked, START + 14 * DAY)
    assert clocked.events("customer.subscription.trial_will_end") == []
    assert [invoice["total"] for invoice in clocked.invoices()] == [0, 4900]
