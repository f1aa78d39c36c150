"""Products and prices over the API."""

import pytest

from aimeter_cli.sandbox.client import SandboxControl
from tests.sandbox.http_calls import Calls

URL = "/v1/prices"
MONTHLY = {"currency": "eur", "unit_amount": "4900", "recurring[interval]": "month"}


def test_a_price_of_a_product_is_what_a_subscription_takes(
    api: Calls, sandbox: SandboxControl, customer: str
) -> None:
    product = api.post("/v1/products", {"name": "Pro", "metadata[plan]": "pro"}).json
    price = api.post(URL, {**MONTHLY, "product": product["id"], "nickname": "Pro"}).json
    assert api.get(f"/v1/products/{product['id']}").json == product
    assert api.get(f"{URL}/{price['id']}").json == price
    assert (price["product"], price["type"], price["active"]) == (product["id"], "recurring", True)
    made = api.post("/v1/subscriptions", {"customer": customer, "items[0][price]": price["id"]})
    assert (made.json["currency"], made.json["items"]["data"][0]["price"]) == ("eur", price)
    assert [event["type"] for event in sandbox.events()][1:3] == [
        "product.created", "price.created",
    ]  # fmt: skip


def test_prices_are_listed_by_product_and_state(api: Calls, sandbox: SandboxControl) -> None:
    first = api.post(URL, {**MONTHLY, "product_data[name]": "One"}).json
    once = {"currency": "usd", "unit_amount": "1", "product": first["product"], "lookup_key": "k"}
    second = api.post(URL, once).json
    third = api.post(URL, {**MONTHLY, "product_data[name]": "Two"}).json["id"]
    assert api.post(f"{URL}/{third}", {"active": "false"}).json["active"] is False

    def listed(**form: str) -> list[str]:
        return [each["id"] for each in api.get(URL, form).json["data"]]

    first_id, second_id = first["id"], second["id"]
    assert listed() == [third, second_id, first_id]
    assert listed(product=first["product"]) == [second_id, first_id]
    assert listed(active="true", type="recurring") == [first_id]
    assert listed(**{"lookup_keys[]": "k"}) == [second_id]
    assert listed(starting_after=third, limit="1") == [second_id]
    assert len(api.get("/v1/products").json["data"]) == 2


@pytest.mark.parametrize(
    ("form", "param"),
    [
        ({**MONTHLY}, "product"),
        ({**MONTHLY, "product": "prod_none"}, "product"),
        ({**MONTHLY, "product": "p", "product_data[name]": "x"}, "product"),
        ({"currency": "usd", "product_data[name]": "x"}, "unit_amount"),
        ({"unit_amount": "1", "product_data[name]": "x"}, "currency"),
        ({**MONTHLY, "product_data[name]": "x", "unit_amount": "-1"}, "unit_amount"),
        ({**MONTHLY, "product_data[name]": "x", "recurring[interval]": "moon"},
         "recurring[interval]"),
    ],
)  # fmt: skip
def test_a_wrong_price_is_refused_and_nothing_is_made(
    api: Calls, sandbox: SandboxControl, form: dict[str, str], param: str
) -> None:
    reply = api.post(URL, form)
    assert (reply.status, reply.error["param"]) == (400, param)
    assert sandbox.events() == []


def test_a_product_of_a_taken_id_is_refused(api: Calls) -> None:
    form = {"name": "Pro", "id": "prod_pro"}
    assert api.post("/v1/products", form).json["id"] == "prod_pro"
    assert api.post("/v1/products", form).error["code"] == "resource_already_exists"
