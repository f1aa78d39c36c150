"""What the sandbox clock makes happen by itself, in order."""

from collections.abc import Sequence
from typing import Any

import pytest

from aimeter_cli.sandbox.client import SandboxControl
from aimeter_cli.sandbox.periods import next_boundary, period_end
from tests.sandbox.http_calls import Calls
from tests.sandbox.test_subscriptions import moment

URL = "/v1/subscriptions"
HOUR, DAY = 3600, 86_400
START = moment("2027-01-31T12:00")

FINALIZED = ["invoice.finalized", "invoice.updated"]
PAID = ["invoice.paid", "invoice.payment_succeeded", "invoice.updated"]


@pytest.fixture
def clocked(sandbox: SandboxControl) -> SandboxControl:
    """The sandbox on 31 January, where time does what is due."""
    sandbox.define_price("price_pro", unit_amount=4900)
    sandbox.define_price("price_week", unit_amount=900, interval="week")
    sandbox.set(renewals="auto")
    at(sandbox, START)
    return sandbox


def at(sandbox: SandboxControl, seconds: int) -> None:
    sandbox.move_clock(seconds - sandbox.now())


def subscribe(api: Calls, customer: str, price: str = "price_pro", **more: str) -> Any:
    reply = api.post(URL, {"customer": customer, "items[0][price]": price, **more})
    assert reply.status == 200, reply.body
    return reply.json


class Told:
    """The events since the last look."""

    def __init__(self, sandbox: SandboxControl) -> None:
        self.sandbox, self.seen = sandbox, len(sandbox.events())

    def since(self) -> list[dict[str, Any]]:
        events = self.sandbox.events()[self.seen :]
        self.seen += len(events)
        return [event for event in events if not event["type"].startswith("customer.u")]

    def types(self) -> list[str]:
        return [event["type"] for event in self.since()]


def statuses(events: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    """How the subscription's status went."""
    return [
        (event["data"]["previous_attributes"]["status"], event["data"]["object"]["status"])
        for event in events
        if "status" in event["data"].get("previous_attributes", {})
        and event["type"] == "customer.subscription.updated"
    ]


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
    ("after", "last"),
    [
        ("canceled", "customer.subscription.deleted"),
        ("unpaid", "customer.subscription.updated"),
    ],
)
def test_a_failing_payment_is_tried_four_times(
    api: Calls, clocked: SandboxControl, customer: str, after: str, last: str
) -> None:
    clocked.set(after_retries=after)
    made = subscribe(api, customer)
    clocked.fail_payments(customer)
    told = Told(clocked)
    at(clocked, moment("2027-02-28T14:00"))
    events = told.since()
    failed = events[-3]["data"]["object"]
    assert (events[-3]["type"], statuses(events)) == (
        "invoice.payment_failed", [("active", "past_due")],
    )  # fmt: skip
    assert failed["next_payment_attempt"] == events[-3]["created"] + 3 * DAY
    at(clocked, moment("2027-03-20T00:00"))
    events = told.since()
    assert [(e["data"]["object"]["attempt_count"], e["created"] - failed["created"] - HOUR)
            for e in events if e["type"] == "invoice.payment_failed"] == [
        (2, 3 * DAY), (3, 8 * DAY), (4, 15 * DAY),
    ]  # fmt: skip
    assert events[-1]["type"] == last
    ended = events[-1]["data"]["object"]
    assert ended["status"] == after == api.get(f"{URL}/{made['id']}").json["status"]
    if after == "canceled":
        assert ended["cancellation_details"]["reason"] == "payment_failed"


def test_a_later_payment_makes_the_subscription_active_again(
    api: Calls, clocked: SandboxControl, customer: str
) -> None:
    made = subscribe(api, customer)
    clocked.fail_payments(customer)
    at(clocked, moment("2027-02-28T14:00"))
    clocked.fail_payments(customer, fails=False)
    told = Told(clocked)
    at(clocked, moment("2027-03-04T00:00"))
    events = told.since()
    assert [event["type"] for event in events] == [*PAID, "customer.subscription.updated"]
    assert statuses(events) == [("past_due", "active")]
    assert api.get(f"{URL}/{made['id']}").json["status"] == "active"


def test_a_declined_pay_request_is_a_402_that_counts(
    api: Calls, clocked: SandboxControl, customer: str
) -> None:
    api.item(customer)
    (invoice,) = clocked.person_finalize(customer)
    reply = api.post(f"/v1/invoices/{invoice}/pay", {"payment_method": "pm_card_chargeDeclined"})
    assert (reply.status, reply.error["code"]) == (402, "card_declined")
    assert [e["data"]["object"]["attempt_count"] for e in clocked.events("invoice.payment_failed")
            ] == [1]  # fmt: skip
    assert api.post(f"/v1/invoices/{invoice}/pay").json["status"] == "paid"


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


def test_a_cancelled_subscription_ends_with_its_period(
    api: Calls, clocked: SandboxControl, customer: str
) -> None:
    made = subscribe(api, customer)
    asked = api.post(f"{URL}/{made['id']}", {"cancel_at_period_end": "true"}).json
    assert asked["cancel_at"] == asked["items"]["data"][0]["current_period_end"]
    told = Told(clocked)
    at(clocked, asked["cancel_at"] + 60)
    (ended,) = told.since()
    body = ended["data"]["object"]
    assert (ended["type"], body["status"]) == ("customer.subscription.deleted", "canceled")
    assert (body["ended_at"], body["canceled_at"]) == (asked["cancel_at"], asked["canceled_at"])


def test_a_subscription_can_end_within_its_period(
    api: Calls, clocked: SandboxControl, customer: str
) -> None:
    made = subscribe(api, customer)
    end = START + 5 * DAY
    asked = api.post(f"{URL}/{made['id']}", {"cancel_at": str(end)}).json
    assert (asked["cancel_at"], asked["cancel_at_period_end"]) == (end, False)
    at(clocked, end + 60)
    assert api.get(f"{URL}/{made['id']}").json["ended_at"] == end


def test_a_trial_can_be_ended_at_once(api: Calls, clocked: SandboxControl, customer: str) -> None:
    made = subscribe(api, customer, trial_period_days="14")
    ended = api.post(f"{URL}/{made['id']}", {"trial_end": "now"}).json
    item = ended["items"]["data"][0]
    assert (ended["status"], item["current_period_start"]) == ("active", ended["trial_end"])
    at(clocked, START + 14 * DAY)
    assert clocked.events("customer.subscription.trial_will_end") == []
    assert [invoice["total"] for invoice in clocked.invoices()] == [0, 4900]


def test_a_cancellation_can_be_taken_back(
    api: Calls, clocked: SandboxControl, customer: str
) -> None:
    made = subscribe(api, customer)
    api.post(f"{URL}/{made['id']}", {"cancel_at_period_end": "true"})
    back = api.post(f"{URL}/{made['id']}", {"cancel_at_period_end": "false"}).json
    assert back == {**made, "latest_invoice": back["latest_invoice"]}
    at(clocked, moment("2027-03-02T00:00"))
    assert api.get(f"{URL}/{made['id']}").json["status"] == "active"


def test_a_first_payment_that_fails_leaves_it_incomplete_for_23_hours(
    api: Calls, clocked: SandboxControl, customer: str
) -> None:
    clocked.fail_payments(customer)
    made = subscribe(api, customer)
    other = subscribe(api, customer)
    assert made["status"] == "incomplete"
    method = {"payment_method": "pm_card_visa"}
    assert api.post(f"/v1/invoices/{made['latest_invoice']}/pay", method).status == 200
    assert api.get(f"{URL}/{made['id']}").json["status"] == "active"
    at(clocked, START + DAY)
    assert api.get(f"{URL}/{other['id']}").json["status"] == "incomplete_expired"
    assert api.get(f"/v1/invoices/{other['latest_invoice']}").json["status"] == "void"


@pytest.mark.parametrize(
    ("behavior", "status"),
    [("keep_as_draft", "draft"), ("void", "void"), ("mark_uncollectible", "uncollectible")],
)
def test_paused_collection_leaves_the_subscription_active(
    api: Calls, clocked: SandboxControl, customer: str, behavior: str, status: str
) -> None:
    made = subscribe(api, customer)
    form = {"pause_collection[behavior]": behavior,
            "pause_collection[resumes_at]": str(moment("2027-03-15T00:00"))}  # fmt: skip
    api.post(f"{URL}/{made['id']}", form)
    at(clocked, moment("2027-03-01T00:00"))
    body = api.get(f"{URL}/{made['id']}").json
    assert (body["status"], clocked.invoices()[-1]["status"]) == ("active", status)
    at(clocked, moment("2027-03-16T00:00"))
    assert api.get(f"{URL}/{made['id']}").json["pause_collection"] is None


def test_another_price_counts_from_the_next_period_and_another_interval_at_once(
    api: Calls, clocked: SandboxControl, customer: str
) -> None:
    made = subscribe(api, customer)
    item = made["items"]["data"][0]["id"]
    form = {"items[0][id]": item, "items[0][price]": "price_other"}
    changed = api.post(f"{URL}/{made['id']}", form).json["items"]["data"][0]
    assert (changed["id"], changed["price"]["id"]) == (item, "price_other")
    assert changed["current_period_end"] == made["items"]["data"][0]["current_period_end"]
    form = {"items[0][id]": item, "items[0][price]": "price_week", "items[1][price]": "price_week"}
    both = api.post(f"{URL}/{made['id']}", form).json["items"]["data"]
    assert [each["current_period_end"] - each["current_period_start"] for each in both] == [
        7 * DAY, 7 * DAY,
    ]  # fmt: skip
    form = {"items[0][id]": item, "items[0][deleted]": "true"}
    assert len(api.post(f"{URL}/{made['id']}", form).json["items"]["data"]) == 1


@pytest.mark.parametrize(
    ("form", "param"),
    [
        ({"items[0][id]": "si_none"}, "items[0][id]"),
        ({"items[0][quantity]": "2"}, "items[0][price]"),
        ({"cancel_at": "2000000000", "cancel_at_period_end": "true"}, "cancel_at"),
        ({"trial_end": "1"}, "trial_end"),
        ({"pause_collection[resumes_at]": "1"}, "pause_collection[behavior]"),
    ],
)
def test_a_wrong_change_is_refused_and_tells_nothing(
    api: Calls, clocked: SandboxControl, customer: str, form: dict[str, str], param: str
) -> None:
    made = subscribe(api, customer)
    told = Told(clocked)
    reply = api.post(f"{URL}/{made['id']}", form)
    assert (reply.status, reply.error["param"]) == (400, param)
    assert told.types() == []


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
