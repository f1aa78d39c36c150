"""Events: made by every change, told for 30 days."""

import pytest
import stripe

from aimeter_cli.sandbox.client import SandboxControl
from tests.sandbox.http_calls import Calls

URL = "/v1/events"
DAY = 86_400


def kinds(sandbox: SandboxControl) -> list[str]:
    return [event["type"] for event in sandbox.events()]


def subscribed(api: Calls, customer: str, **more: str) -> str:
    form = {"customer": customer, "items[0][price]": "price_a", **more}
    return str(api.post("/v1/subscriptions", form).json["id"])


def test_an_event_tells_the_object_its_cause_and_its_version(
    api: Calls, sandbox: SandboxControl
) -> None:
    made = api.post("/v1/customers", {"email": "ada@example.com"}, key="k1")
    (event,) = api.get(URL).json["data"]
    assert event == {
        "id": event["id"],
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": made.json["created"],
        "data": {"object": made.json},
        "livemode": False,
        "pending_webhooks": 0,
        "request": {"id": made.headers["Request-Id"], "idempotency_key": "k1"},
        "type": "customer.created",
    }
    assert api.get(f"{URL}/{event['id']}").json == event


def test_a_change_tells_what_was_before_and_only_what_has_changed(
    api: Calls, sandbox: SandboxControl, customer: str
) -> None:
    api.post(f"/v1/customers/{customer}", {"name": "Ada", "metadata[team]": "7"})
    api.post(f"/v1/customers/{customer}", {"metadata[team]": "8"})
    api.post(f"/v1/customers/{customer}", {"metadata[team]": "8"})
    told = [e["data"]["previous_attributes"] for e in sandbox.events("customer.updated")]
    assert told == [{"metadata": {"team": None}, "name": None}, {"metadata": {"team": "7"}}]


def test_a_request_that_is_replayed_or_refused_makes_no_event(
    api: Calls, sandbox: SandboxControl
) -> None:
    for _ in range(2):
        api.post("/v1/customers", {"name": "Ada"}, key="k1")
    api.post("/v1/customers", {"email": "no address"})
    assert kinds(sandbox) == ["customer.created"]


def test_every_change_of_an_invoice_and_its_items_makes_its_events(
    api: Calls, sandbox: SandboxControl, customer: str
) -> None:
    api.delete(f"/v1/invoiceitems/{api.item(customer)['id']}")
    api.item(customer)
    invoice = api.post("/v1/invoices", {"customer": customer,
                                        "pending_invoice_items_behavior": "include"})  # fmt: skip
    api.post(f"/v1/invoices/{invoice.json['id']}/finalize")
    api.post(f"/v1/invoices/{invoice.json['id']}/pay")
    empty = api.post("/v1/invoices", {"customer": customer}).json["id"]
    api.delete(f"/v1/invoices/{empty}")
    assert [kind for kind in kinds(sandbox) if kind.startswith("invoice")] == [
        "invoiceitem.created", "invoiceitem.deleted", "invoiceitem.created",
        "invoice.created", "invoice.finalized", "invoice.updated",
        "invoice.paid", "invoice.payment_succeeded", "invoice.updated",
        "invoice.created", "invoice.deleted",
    ]  # fmt: skip
    (paid,) = sandbox.events("invoice.paid")
    assert (paid["data"]["object"]["status"], paid["data"]["object"]["amount_paid"]) == (
        "paid", 100,
    )  # fmt: skip


def test_a_renewal_tells_the_period_that_was_before(
    api: Calls, sandbox: SandboxControl, customer: str
) -> None:
    subscription = subscribed(api, customer)
    before = api.get(f"/v1/subscriptions/{subscription}").json
    draft = sandbox.renew(subscription)
    (renewed,) = sandbox.events("customer.subscription.updated")
    assert renewed["data"]["previous_attributes"] == {
        "items": {"data": before["items"]["data"]},
        "latest_invoice": None,
    }
    (created,) = sandbox.events("invoice.created")
    assert created["data"]["object"]["id"] == draft["id"]


def test_the_events_of_a_deleted_customer_end_its_subscriptions_first(
    api: Calls, sandbox: SandboxControl, customer: str
) -> None:
    subscribed(api, customer)
    api.delete(f"/v1/customers/{customer}")
    assert kinds(sandbox)[-2:] == ["customer.subscription.deleted", "customer.deleted"]


def test_events_are_listed_newest_first_by_type_group_and_time(
    client: stripe.StripeClient, api: Calls, sandbox: SandboxControl, customer: str
) -> None:
    subscribed(api, customer)
    sandbox.move_clock(100)
    api.item(customer)

    def listed(**params: object) -> list[str]:
        return [e.type for e in client.v1.events.list(params).auto_paging_iter()]  # type: ignore[arg-type]

    now = int(sandbox.now())
    everything = kinds(sandbox)[::-1]
    assert listed() == listed(limit=2) == everything
    assert listed(types=["invoiceitem.created", "customer.created"]) == [
        "invoiceitem.created", "customer.created",
    ]  # fmt: skip
    assert listed(type="customer.subscription.*") == ["customer.subscription.created"]
    assert listed(created={"gte": now - 50}) == ["invoiceitem.created"]
    assert listed(delivery_success=False) == []
    assert listed(delivery_success=True) == everything


@pytest.mark.parametrize(
    ("form", "param"),
    [
        ([("types[]", "a.b")] * 21, "types"),
        ([("types[]", "a.b"), ("type", "a.b")], "type"),
        ([("starting_after", "evt_none")], "starting_after"),
    ],
)
def test_a_wrong_list_is_refused(api: Calls, form: list[tuple[str, str]], param: str) -> None:
    reply = api.get(URL, form)
    assert (reply.status, reply.error["param"]) == (400, param)


def test_an_event_is_told_for_30_days(api: Calls, sandbox: SandboxControl, customer: str) -> None:
    (event,) = api.get(URL).json["data"]
    sandbox.move_clock(30 * DAY - 60)
    assert api.get(URL).json["data"] == [event]
    sandbox.move_clock(120)
    assert api.get(URL).json["data"] == []
    assert api.get(f"{URL}/{event['id']}").status == 404


def test_an_old_version_has_the_old_shape(
    api: Calls, sandbox: SandboxControl, customer: str
) -> None:
    sandbox.set(api_version="2024-06-20")
    subscription = subscribed(api, customer)
    item = api.get(f"/v1/subscriptions/{subscription}").json["items"]["data"][0]
    api.item(customer, 70, subscription=subscription)
    invoice = sandbox.renew(subscription)["id"]
    (renewed,) = sandbox.events("customer.subscription.updated")
    body, previous = renewed["data"]["object"], renewed["data"]["previous_attributes"]
    assert renewed["api_version"] == "2024-06-20"
    assert previous == {
        "current_period_end": item["current_period_end"],
        "current_period_start": item["current_period_start"],
        "latest_invoice": None,
    }
    assert body["current_period_start"] == item["current_period_end"]
    assert "current_period_start" not in body["items"]["data"][0]
    assert body["plan"]["id"] == "price_a"
    (created,) = sandbox.events("invoice.created")
    body = created["data"]["object"]
    assert (body["subscription"], "parent" in body) == (subscription, False)
    assert [(line["type"], line["subscription"], "parent" in line)
            for line in body["lines"]["data"]] == [
        ("invoiceitem", subscription, False), ("subscription", subscription, False),
    ]  # fmt: skip
    assert api.get(f"/v1/invoices/{invoice}").json["parent"] is not None


def test_a_plan_change_in_the_old_shape_tells_plan_and_items(
    api: Calls, sandbox: SandboxControl, customer: str
) -> None:
    sandbox.set(api_version="2024-06-20")
    subscription = subscribed(api, customer)
    item = api.get(f"/v1/subscriptions/{subscription}").json["items"]["data"][0]["id"]
    form = {"items[0][id]": item, "items[0][price]": "price_b"}
    api.post(f"/v1/subscriptions/{subscription}", form)
    (changed,) = sandbox.events("customer.subscription.updated")
    previous = changed["data"]["previous_attributes"]
    assert (set(previous), previous["plan"]["id"]) == ({"items", "plan"}, "price_a")
    assert previous["items"]["data"][0]["price"]["id"] == "price_a"
