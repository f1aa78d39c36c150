"""What the sandbox clock makes happen by itself, in order."""

import pytest

from aimeter_cli.sandbox.client import SandboxControl
from aimeter_cli.sandbox.periods import next_boundary
from tests.sandbox.http_calls import Calls
from tests.sandbox.passing_time import DAY, FINALIZED, HOUR, PAID, URL, Told, at, subscribe
from tests.sandbox.test_subscriptions import moment


def test_a_first_invoice_is_made_and_paid(
    api: Calls, clocked: SandboxControl, customer: str
) -> None:
    told = Told(clocked)
    made = subscribe(api, customer)
    assert told.types() == [
        "invoice.created", "customer.subscription.created", *FINALIZED, *PAID,
    ]  # fmt: skip
    invoice = api.get(f"/v1/invoices/{made['latest_invoice']}").json
    assert (made["status"], invoice["status"], invoice["total"], invoice["billing_reason"]) == (
        "active", "paid", 4900, "subscription_create",
    )  # fmt: skip


def test_a_month_passes_as_stripe_lets_it_pass(
    api: Calls, clocked: SandboxControl, customer: str
) -> None:
    made = subscribe(api, customer)
    item = api.item(customer, 250, subscription=made["id"])["id"]
    told = Told(clocked)
    end = moment("2027-02-28T12:00")
    at(clocked, end - 60)
    assert told.types() == []
    at(clocked, end + 60)
    created, renewed = told.since()
    draft = created["data"]["object"]
    assert (created["type"], created["created"] - end < 10) == ("invoice.created", True)
    assert (draft["status"], draft["billing_reason"], draft["total"]) == (
        "draft", "subscription_cycle", 5150,
    )  # fmt: skip
    assert draft["automatically_finalizes_at"] == draft["created"] + HOUR
    assert renewed["type"] == "customer.subscription.updated"
    assert set(renewed["data"]["previous_attributes"]) == {"items", "latest_invoice"}
    late = api.item(customer, 30, invoice=draft["id"])
    at(clocked, end + HOUR + 60)
    events = told.since()
    assert [event["type"] for event in events] == [
        "invoiceitem.created", *FINALIZED, *PAID,
    ]  # fmt: skip
    paid = events[-2]["data"]["object"]
    assert (paid["status"], paid["total"], paid["attempt_count"]) == ("paid", 5180, 1)
    assert [line["amount"] for line in paid["lines"]["data"]] == [250, 30, 4900]
    assert api.get(f"/v1/invoiceitems/{item}").json["invoice"] == late["invoice"]
    end = moment("2027-03-31T12:00")
    period = api.get(f"{URL}/{made['id']}").json["items"]["data"][0]
    assert end <= period["current_period_end"] < end + 10


def test_three_months_at_once_are_the_same_as_one_by_one(
    api: Calls, clocked: SandboxControl, customer: str
) -> None:
    subscribe(api, customer)
    told = Told(clocked)
    at(clocked, moment("2027-05-01T00:00"))
    month = ["invoice.created", "customer.subscription.updated", *FINALIZED, *PAID]
    events = told.since()
    assert [event["type"] for event in events] == month * 3
    moments = [event["created"] for event in events]
    assert moments == sorted(moments)


def test_by_hand_time_changes_nothing(api: Calls, sandbox: SandboxControl, customer: str) -> None:
    made = subscribe(api, customer)
    told = Told(sandbox)
    sandbox.move_clock(90 * DAY)
    assert told.types() == []
    assert api.get(f"{URL}/{made['id']}").json == made


@pytest.mark.parametrize(
    ("anchor", "after", "interval", "count", "end"),
    [
        ("2027-01-31T12:00", "2027-02-28T12:00", "month", 1, "2027-03-31T12:00"),
        ("2027-01-31T12:00", "2027-01-31T12:00", "month", 1, "2027-02-28T12:00"),
        ("2028-02-29T00:00", "2031-02-28T00:00", "year", 1, "2032-02-29T00:00"),
        ("2020-01-31T00:00", "2027-01-31T00:00", "month", 3, "2027-04-30T00:00"),
        ("2020-01-01T00:00", "2027-01-06T00:00", "week", 1, "2027-01-13T00:00"),
    ],
)
def test_periods_keep_the_day_of_their_anchor(
    anchor: str, after: str, interval: str, count: int, end: str
) -> None:
    assert next_boundary(moment(anchor), moment(after), interval, count) == moment(end)
