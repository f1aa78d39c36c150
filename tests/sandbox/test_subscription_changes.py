"""Subscriptions that are cancelled, paused or moved to another price, and what time makes of it."""

import pytest

from aimeter_cli.sandbox.client import SandboxControl
from tests.sandbox.http_calls import Calls
from tests.sandbox.passing_time import DAY, START, URL, Told, at, subscribe
from tests.sandbox.test_subscriptions import moment


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


def test_a_cancellation_can_be_taken_back(
    api: Calls, clocked: SandboxControl, customer: str
) -> None:
    made = subscribe(api, customer)
    api.post(f"{URL}/{made['id']}", {"cancel_at_period_end": "true"})
    back = api.post(f"{URL}/{made['id']}", {"cancel_at_period_end": "false"}).json
    assert back == {**made, "latest_invoice": back["latest_invoice"]}
    at(clocked, moment("2027-03-02T00:00"))
    assert api.get(f"{URL}/{made['id']}").json["status"] == "active"


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
