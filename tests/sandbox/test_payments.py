"""Payments that fail and are tried again as time passes."""

import pytest

from aimeter_cli.sandbox.client import SandboxControl
from tests.sandbox.http_calls import Calls
from tests.sandbox.passing_time import DAY, HOUR, PAID, START, URL, Told, at, statuses, subscribe
from tests.sandbox.test_subscriptions import moment


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
