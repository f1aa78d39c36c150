"""Refusals before execution, with Stripe's bodies."""

from typing import Any

import pytest

from aimeter_cli.sandbox.form import pairs, tree
from tests.sandbox.http_calls import Calls

ITEM = {"customer": "cus_1", "amount": "1", "currency": "usd"}


def error(message: str, param: str, code: str | None = None) -> dict[str, str]:
    body = {"message": message, "param": param, "type": "invalid_request_error"}
    return body if code is None else {"code": code, **body}


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({}, error("Missing required param: customer.", "customer", "parameter_missing")),
        ({**ITEM, "price": "price_1"},
         error("Received unknown parameter: price", "price", "parameter_unknown")),
        ({**ITEM, "b": "1", "pricing[plan]": "2"},
         error("Received unknown parameters: b, pricing[plan]", "b", "parameter_unknown")),
        ({**ITEM, "amount": "1.5"},
         error("Invalid integer: 1.5", "amount", "parameter_invalid_integer")),
        ({**ITEM, "amount": ""},
         error("You passed an empty string for 'amount'. We assume empty values are an attempt to "
               "unset a parameter; however 'amount' cannot be unset. You should remove 'amount' "
               "from your request or supply a non-empty value.",
               "amount", "parameter_invalid_empty")),
        ({**ITEM, "period[start]": "1"},
         error("Missing required param: period[end].", "period[end]", "parameter_missing")),
        ({**ITEM, "period[start]": "x", "period[end]": "1"},
         error("Invalid integer: x", "period[start]", "parameter_invalid_integer")),
        ({**ITEM, "period": "1"}, error("Invalid object", "period")),
        ({**ITEM, "tax_rates": "txr_1"}, error("Invalid array", "tax_rates")),
        ({**ITEM, "discountable": "1"}, error("Invalid boolean: 1", "discountable")),
        ({**ITEM, "unit_amount_decimal": "1e3"},
         error("Invalid decimal: 1e3; must contain at most 12 decimal places.",
               "unit_amount_decimal")),
        ({**ITEM, "tax_behavior": "none"},
         error("Invalid tax_behavior: must be one of exclusive, inclusive or unspecified",
               "tax_behavior")),
        ({**ITEM, "description": "x" * 5001},
         error("Invalid string: xxxxxxxxxxxx…; must be at most 5000 characters", "description")),
        ({**ITEM, "description[a]": "1"},
         error("Invalid string: expected a value, got an object.", "description")),
        ({**ITEM, "metadata[a][b]": "1"},
         error("Invalid metadata: values must be strings.", "metadata")),
        ({**ITEM, "metadata": "x"}, error("Invalid object", "metadata")),
        ({**ITEM, f"metadata[{'k' * 41}]": "v"},
         error("Metadata keys can be at most 40 characters, but you passed in a key that is 41 "
               f"characters. Invalid key: {'k' * 41}", "metadata")),
        ({**ITEM, "metadata[k]": "v" * 501},
         error("Metadata values can be at most 500 characters, but you passed in a value that is "
               f"501 characters. Invalid value: {'v' * 501}", "metadata")),
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_refused_in_stripes_words(
    api: Calls, form: dict[str, str], expected: dict[str, str]
) -> None:
    reply = api.post("/v1/invoiceitems", form)
    assert (reply.status, reply.error) == (400, expected)


def test_an_error_links_its_documentation_and_its_log(api: Calls) -> None:
    reply = api.post("/v1/invoiceitems")
    page = "https://stripe.com/docs/error-codes/parameter-missing"
    assert reply.json["error"]["doc_url"] == page
    assert reply.headers["Request-Id"] in reply.json["error"]["request_log_url"]


def test_metadata_holds_50_keys_of_40_characters_with_500_characters(api: Calls) -> None:
    full = {f"metadata[{n:040}]": "v" * 500 for n in range(50)}
    made = api.post("/v1/customers", full).json
    assert len(made["metadata"]) == 50
    path = f"/v1/customers/{made['id']}"
    assert api.post(path, {"metadata[one]": "more"}).error == error(
        "Metadata can have at most 50 keys, but you passed in 51.", "metadata"
    )
    swap = {"metadata[one]": "more", f"metadata[{0:040}]": ""}
    assert len(api.post(path, swap).json["metadata"]) == 50


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/invoice_items"),
        ("POST", "/v1/account"),
        ("PUT", "/v1/customers/cus_1"),
        ("GET", "/v1/invoices/in_1/unknown"),
        ("GET", "/"),
    ],
)
def test_an_unknown_url_is_a_404(api: Calls, method: str, path: str) -> None:
    reply = api.call(method, path)
    assert reply.status == 404
    assert reply.error["message"].startswith(f"Unrecognized request URL ({method}: {path}).")


def test_a_wrong_email_is_refused(api: Calls) -> None:
    assert api.post("/v1/customers", {"email": "ada"}).error["code"] == "email_invalid"


@pytest.mark.parametrize(
    ("encoded", "expected"),
    [
        ("a=1&b=", {"a": "1", "b": ""}),
        ("a[b]=1&a[c][d]=2", {"a": {"b": "1", "c": {"d": "2"}}}),
        ("a[]=1&a[]=2", {"a": {"0": "1", "1": "2"}}),
        ("a[0][b]=1&a[1][b]=2", {"a": {"0": {"b": "1"}, "1": {"b": "2"}}}),
        ("a[][b]=1&a[][c]=2&a[][b]=3", {"a": {"0": {"b": "1", "c": "2"}, "1": {"b": "3"}}}),
        ("a=1&a=2", {"a": "2"}),
        ("a%5Bb%5D=%C3%A9", {"a": {"b": "é"}}),
        ("[x]=1&a[b=2", {"[x]": "1", "a[b": "2"}),
    ],
)
def test_brackets_nest(encoded: str, expected: dict[str, Any]) -> None:
    assert tree(pairs(encoded)) == expected


@pytest.mark.parametrize("encoded", ["metadata=1&metadata[a]=2", "metadata[a]=1&metadata=2"])
def test_one_name_cannot_be_a_value_and_an_object(api: Calls, encoded: str) -> None:
    reply = api.call("POST", "/v1/customers", encoded)
    assert reply.status == 400
