from typing import Any

import pytest
import stripe

from aimeter_cli.sandbox.client import SandboxControl
from tests.sandbox.http_calls import Calls

URL = "/v1/invoiceitems"


def test_an_item_is_created_read_changed_and_deleted(
    client: stripe.StripeClient, customer: str
) -> None:
    made = client.v1.invoice_items.create(
        {
            "customer": customer,
            "amount": 150,
            "currency": "usd",
            "description": "AI usage overage",
            "metadata": {"aimeter_item": "i0:1"},
            "period": {"start": 100, "end": 200},
        }
    )
    assert client.v1.invoice_items.retrieve(made.id).to_dict() == made.to_dict()
    assert made.id.startswith("ii_")
    assert (made.amount, made.currency, made.invoice, made.parent) == (150, "usd", None, None)
    assert made.period.to_dict() == {"start": 100, "end": 200}
    changed = client.v1.invoice_items.update(
        made.id, {"amount": 175, "metadata": {"aimeter_version": "2"}}
    )
    assert changed.amount == 175
    assert changed.to_dict()["metadata"] == {"aimeter_item": "i0:1", "aimeter_version": "2"}
    assert changed.description == "AI usage overage"
    gone = client.v1.invoice_items.delete(made.id)
    assert gone.to_dict() == {"id": made.id, "object": "invoiceitem", "deleted": True}
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.invoice_items.retrieve(made.id)
    assert (refused.value.http_status, refused.value.code) == (404, "resource_missing")


@pytest.mark.parametrize(
    ("form", "amount", "quantity", "unit"),
    [
        ({"amount": 150}, 150, "1", "150"),
        ({"amount": -5}, -5, "1", "-5"),
        ({"unit_amount_decimal": "0.5", "quantity": 3}, 2, "3", "0.5"),
        ({"unit_amount_decimal": "0.15", "quantity_decimal": "10.5"}, 2, "10.5", "0.15"),
        ({"pricing[price]": "price_call", "quantity": 4}, 28, "4", "7"),
    ],
)
def test_an_amount_is_given_or_a_unit_times_a_quantity(
    api: Calls, sandbox: SandboxControl, customer: str, form: Any, amount: int, quantity: str,
    unit: str,
) -> None:  # fmt: skip
    sandbox.define_price("price_call", unit_amount=7, interval=None)
    item = api.post(URL, {"customer": customer, "currency": "usd", **form}).json
    assert (item["amount"], item["quantity_decimal"]) == (amount, quantity)
    assert item["pricing"]["unit_amount_decimal"] == unit


@pytest.mark.parametrize(
    ("form", "param"),
    [
        ({}, "amount"),
        ({"amount": 1, "quantity": -1}, "quantity"),
        ({"amount": 1, "quantity": 1, "quantity_decimal": "1"}, None),
        ({"amount": 1, "pricing[price]": "price_a"}, None),
        ({"pricing[price]": "plan_a"}, "pricing[price]"),
    ],
)
def test_an_amount_that_makes_no_sense_is_refused(
    api: Calls, customer: str, form: dict[str, Any], param: str | None
) -> None:
    reply = api.post(URL, {"customer": customer, "currency": "usd", **form})
    assert (reply.status, reply.error.get("param")) == (400, param)


def test_an_update_of_the_unit_or_the_quantity_recomputes_the_amount(
    api: Calls, customer: str
) -> None:
    form = {"customer": customer, "currency": "usd", "unit_amount_decimal": "2.5", "quantity": 4}
    item = api.post(URL, form).json
    assert api.post(f"{URL}/{item['id']}", {"quantity": 10}).json["amount"] == 25
    assert api.post(f"{URL}/{item['id']}", {"unit_amount_decimal": "3"}).json["amount"] == 30
    assert api.post(f"{URL}/{item['id']}", {"amount": 7}).json["amount"] == 7


def test_tax_options_pass_through(api: Calls, customer: str) -> None:
    item = api.item(
        customer,
        discountable="false",
        tax_behavior="exclusive",
        tax_code="txcd_10000000",
        tax_rates=["txr_1"],
    )
    assert item["discountable"] is False
    assert [rate["id"] for rate in item["tax_rates"]] == ["txr_1"]
    changed = api.post(f"{URL}/{item['id']}", {"tax_rates[]": "txr_2"}).json
    assert [rate["id"] for rate in changed["tax_rates"]] == ["txr_2"]
    assert api.post(f"{URL}/{item['id']}", {"tax_rates": ""}).json["tax_rates"] == []


@pytest.mark.parametrize(
    ("currency", "amount", "right"),
    [
        ("usd", 1, True),
        ("jpy", 7, True),
        ("KWD", 10, True),
        ("kwd", 15, False),
        ("bhd", -1235, False),
        ("isk", 500, True),
        ("isk", 550, False),
        ("ugx", 1001, False),
        ("ugx", -1000, True),
        ("usd", 10**12 - 1, True),
        ("usd", 10**12, False),
        ("xxx", 1, False),
    ],
)
def test_an_amount_must_be_possible_in_its_currency(
    api: Calls, customer: str, currency: str, amount: int, right: bool
) -> None:
    reply = api.post(URL, {"customer": customer, "currency": currency, "amount": amount})
    assert reply.status == (200 if right else 400)
    if right:
        assert reply.json["currency"] == currency.lower()
        path = f"{URL}/{reply.json['id']}"
        wrong = {"kwd": 11, "isk": 1, "ugx": 50}.get(currency.lower())
        if wrong is not None:
            assert api.post(path, {"amount": wrong}).error["param"] == "amount"


def test_the_currency_defaults_to_that_of_the_customer(api: Calls, customer: str) -> None:
    refused = api.post(URL, {"customer": customer, "amount": 1})
    assert refused.error["param"] == "currency"
    api.item(customer, currency="eur")
    assert api.post(URL, {"customer": customer, "amount": 1}).json["currency"] == "eur"
    assert api.get(f"/v1/customers/{customer}").json["currency"] == "eur"


def test_a_customer_has_one_currency_at_a_time(
    api: Calls, sandbox: SandboxControl, customer: str
) -> None:
    first = api.item(customer, currency="eur")
    refused = api.post(URL, {"customer": customer, "amount": 1, "currency": "usd"})
    assert refused.status == 400
    assert refused.error["message"] == (
        "You cannot combine currencies on a single customer. This customer has an active "
        "subscription, subscription schedule, discount, quote, or invoice item with currency eur."
    )
    sandbox.person_finalize(customer)
    assert api.item(customer, currency="usd")["currency"] == "usd"
    assert api.get(f"{URL}/{first['id']}").json["currency"] == "eur"


def test_an_active_subscription_fixes_the_currency_and_an_ended_one_does_not(
    api: Calls, sandbox: SandboxControl, customer: str
) -> None:
    sandbox.define_price("price_euro", currency="eur")
    form = {"customer": customer, "items[0][price]": "price_euro"}
    subscription = api.post("/v1/subscriptions", form).json["id"]
    form = {"customer": customer, "amount": "1", "currency": "usd"}
    assert "with currency eur" in api.post(URL, form).error["message"]
    api.delete(f"/v1/subscriptions/{subscription}")
    assert api.post(URL, form).status == 200


@pytest.mark.parametrize("change", ["update", "delete"])
@pytest.mark.parametrize("closed", ["finalize", "pay", "void", "mark_uncollectible"])
def test_an_item_on_an_invoice_that_is_no_draft_cannot_change(
    api: Calls, customer: str, change: str, closed: str
) -> None:
    item = api.item(customer)
    form = {"customer": customer, "pending_invoice_items_behavior": "include"}
    invoice = api.post("/v1/invoices", form).json["id"]
    path = f"{URL}/{item['id']}"
    assert api.post(path, {"amount": 90}).json["amount"] == 90  # still a draft
    api.post(f"/v1/invoices/{invoice}/finalize")
    if closed != "finalize":
        assert api.post(f"/v1/invoices/{invoice}/{closed}").status == 200
    reply = api.delete(path) if change == "delete" else api.post(path, {"amount": 80})
    assert (reply.status, reply.error["code"]) == (400, "invoice_not_editable")
    assert api.get(path).json["amount"] == 90


def test_an_item_can_be_put_on_a_draft_but_not_on_a_closed_or_foreign_invoice(
    api: Calls, customer: str
) -> None:
    draft = api.post("/v1/invoices", {"customer": customer, "currency": "usd"}).json["id"]
    item = api.item(customer, invoice=draft)
    assert item["invoice"] == draft
    api.post(f"/v1/invoices/{draft}/finalize")
    form = {"customer": customer, "amount": 1, "currency": "usd", "invoice": draft}
    assert api.post(URL, form).error["code"] == "invoice_not_editable"
    other = api.post("/v1/customers").json["id"]
    foreign = api.post("/v1/invoices", {"customer": other}).json["id"]
    assert api.post(URL, {**form, "invoice": foreign}).error["code"] == "resource_missing"
    assert api.post(URL, {**form, "invoice": "in_none"}).error["param"] == "invoice"


def test_an_item_names_an_active_subscription_of_its_customer(api: Calls, customer: str) -> None:
    def subscribe(whom: str) -> str:
        form = {"customer": whom, "items[0][price]": "price_pro"}
        return str(api.post("/v1/subscriptions", form).json["id"])

    mine, ended = subscribe(customer), subscribe(customer)
    api.delete(f"/v1/subscriptions/{ended}")
    theirs = subscribe(api.post("/v1/customers").json["id"])
    item = api.item(customer, subscription=mine)
    assert item["parent"] == {
        "subscription_details": {"subscription": mine},
        "type": "subscription_details",
    }
    for wrong in (ended, theirs, "sub_none"):
        form = {"customer": customer, "amount": 1, "currency": "usd", "subscription": wrong}
        assert api.post(URL, form).error["param"] == "subscription"
