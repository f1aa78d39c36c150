from datetime import UTC, datetime

import pytest
import stripe

from aimeter_cli.sandbox.client import SandboxControl
from aimeter_cli.sandbox.periods import period_end
from tests.sandbox.http_calls import Calls

URL = "/v1/subscriptions"


def moment(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("start", "interval", "count", "end"),
    [
        ("2026-01-15T10:00", "month", 1, "2026-02-15T10:00"),
        ("2026-01-31T00:00", "month", 1, "2026-02-28T00:00"),
        ("2026-11-30T00:00", "month", 3, "2027-02-28T00:00"),
        ("2028-02-29T00:00", "year", 1, "2029-02-28T00:00"),
        ("2026-12-31T00:00", "month", 1, "2027-01-31T00:00"),
        ("2026-12-30T00:00", "week", 2, "2027-01-13T00:00"),
        ("2026-02-28T00:00", "day", 1, "2026-03-01T00:00"),
    ],
)
def test_a_period_ends_on_the_same_day_or_the_last_of_the_month(
    start: str, interval: str, count: int, end: str
) -> None:
    assert period_end(moment(start), interval, count) == moment(end)


def test_a_subscription_is_active_with_its_periods_on_the_items(
    client: stripe.StripeClient, customer: str
) -> None:
    made = client.v1.subscriptions.create(
        {"customer": customer, "items": [{"price": "price_pro", "quantity": 2}]}
    )
    body = made.to_dict()
    assert (made.status, body["currency"]) == ("active", "usd")
    assert "current_period_end" not in body
    (item,) = body["items"]["data"]
    assert (item["price"]["id"], item["quantity"]) == ("price_pro", 2)
    assert item["current_period_start"] == body["created"]
    assert item["current_period_end"] == period_end(body["created"], "month", 1)
    assert client.v1.subscriptions.retrieve(made.id).to_dict() == body


def test_a_price_says_currency_and_interval(
    api: Calls, sandbox: SandboxControl, customer: str
) -> None:
    sandbox.define_price("price_year", currency="eur", interval="year", unit_amount=9900)
    body = api.post(URL, {"customer": customer, "items[0][price]": "price_year"}).json
    item = body["items"]["data"][0]
    assert (body["currency"], item["price"]["unit_amount"]) == ("eur", 9900)
    assert item["current_period_end"] == period_end(body["created"], "year", 1)
    form = {"customer": customer, "amount": 1, "currency": "usd"}
    assert "combine currencies" in api.post("/v1/invoiceitems", form).error["message"]


@pytest.mark.parametrize(
    ("form", "param"),
    [
        ({}, "items"),
        ({"items[0][quantity]": "1"}, "items[0][price]"),
        ({"items[0][price]": "plan_1"}, "items[0][price]"),
        ({"items[0][price]": "price_once"}, "items[0][price]"),
        ({"items[0][price]": "price_a", "items[0][plan]": "x"}, "items[0][plan]"),
        ({"items[0][price]": "price_a", "items[1][price]": "price_euro"}, "items"),
    ],
)
def test_a_wrong_subscription_is_refused(
    api: Calls, sandbox: SandboxControl, customer: str, form: dict[str, str], param: str
) -> None:
    sandbox.define_price("price_once", interval=None)
    sandbox.define_price("price_euro", currency="eur")
    reply = api.post(URL, {"customer": customer, **form})
    assert (reply.status, reply.error["param"]) == (400, param)


def test_a_canceled_subscription_leaves_its_pending_items(
    client: stripe.StripeClient, api: Calls, customer: str
) -> None:
    made = client.v1.subscriptions.create({"customer": customer, "items": [{"price": "price_a"}]})
    item = api.item(customer, subscription=made.id)["id"]
    ended = client.v1.subscriptions.cancel(made.id).to_dict()
    assert (ended["status"], ended["ended_at"]) == ("canceled", ended["canceled_at"])
    assert client.v1.invoice_items.retrieve(item).invoice is None
    assert api.delete(f"{URL}/{made.id}").status == 404


def test_a_cancellation_can_invoice_at_once(
    client: stripe.StripeClient, api: Calls, customer: str
) -> None:
    made = client.v1.subscriptions.create({"customer": customer, "items": [{"price": "price_a"}]})
    item = api.item(customer, subscription=made.id)["id"]
    client.v1.subscriptions.cancel(made.id, {"invoice_now": True})
    assert client.v1.invoice_items.retrieve(item).invoice is not None


def test_a_list_leaves_out_canceled_ones_unless_asked(api: Calls, customer: str) -> None:
    form = {"customer": customer, "items[0][price]": "price_a"}
    kept, ended = (api.post(URL, form).json["id"] for _ in range(2))
    api.delete(f"{URL}/{ended}")

    def listed(**more: str) -> list[str]:
        data = api.get(URL, {"customer": customer, **more}).json["data"]
        return [entry["id"] for entry in data]

    assert listed() == [kept]
    assert listed(status="all") == [ended, kept]
    assert listed(status="canceled") == listed(status="ended") == [ended]
    assert listed(status="past_due") == []


def test_a_renewal_moves_the_period_and_drafts_the_scheduled_invoice(
    api: Calls, sandbox: SandboxControl, customer: str
) -> None:
    form = {"customer": customer, "items[0][price]": "price_a"}
    made, other = (api.post(URL, form).json for _ in range(2))
    taken = [api.item(customer, 5)["id"], api.item(customer, 7, subscription=made["id"])["id"]]
    api.item(customer, 9, subscription=other["id"])
    draft = sandbox.renew(made["id"])
    assert (draft["total"], draft["billing_reason"]) == (12, "subscription_cycle")
    for item in taken:
        assert api.get(f"/v1/invoiceitems/{item}").json["invoice"] == draft["id"]
    before = made["items"]["data"][0]
    after = api.get(f"{URL}/{made['id']}").json["items"]["data"][0]
    assert after["current_period_start"] == before["current_period_end"]
    assert sandbox.renew(other["id"])["total"] == 9
    assert sandbox.renew(other["id"])["total"] == 0  # scheduled invoices may be empty
