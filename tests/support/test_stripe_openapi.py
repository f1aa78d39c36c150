"""The checker accepts what Stripe describes and names what it does not."""

from typing import Any

import pytest

from tests.support import stripe_openapi
from tests.support.stripe_openapi import check_ledger, check_request, check_response

ITEM = [("customer", "cus_1"), ("amount", "150"), ("currency", "usd")]


@pytest.mark.parametrize(
    ("method", "path", "form"),
    [
        ("GET", "/v1/account", []),
        ("GET", "/v1/invoiceitems", [("created[gte]", "17"), ("pending", "true")]),
        ("GET", "/v1/invoiceitems", [("created", "17"), ("limit", "100")]),
        ("POST", "/v1/invoiceitems", ITEM),
        ("POST", "/v1/invoiceitems", [*ITEM, ("period[start]", "1"), ("period[end]", "2")]),
        ("POST", "/v1/invoiceitems", [*ITEM, ("metadata[aimeter_item]", "a:b")]),
        ("POST", "/v1/invoiceitems/ii_1", [("amount", "-5"), ("metadata", "")]),
        ("POST", "/v1/invoiceitems/ii_1", [("tax_rates[]", "txr_1"), ("tax_rates[]", "txr_2")]),
        ("POST", "/v1/invoices", [("customer", "cus_1"), ("auto_advance", "false")]),
        ("POST", "/v1/invoices/in_1/add_lines", [("lines[0][invoice_item]", "ii_1")]),
        ("POST", "/v1/invoices/in_1/finalize", []),
        ("DELETE", "/v1/invoiceitems/ii_1", []),
        ("DELETE", "/v1/subscriptions/sub_1", [("invoice_now", "true")]),
    ],
)
def test_a_request_as_stripe_describes_it_has_no_problems(
    method: str, path: str, form: list[tuple[str, str]]
) -> None:
    assert check_request(method, path, form) == []


@pytest.mark.parametrize(
    ("method", "path", "form", "problem"),
    [
        ("GET", "/v1/invoice_items", [], "Stripe has no such endpoint"),
        ("PUT", "/v1/invoiceitems/ii_1", [], "Stripe has no such endpoint"),
        ("POST", "/v1/invoiceitems", [*ITEM, ("price", "price_1")], "price is unknown"),
        ("POST", "/v1/invoiceitems", [*ITEM, ("pricing[plan]", "x")], "pricing[plan] is unknown"),
        ("POST", "/v1/invoiceitems", [("amount", "1.50")], "amount is no integer: '1.50'"),
        ("POST", "/v1/invoiceitems", [("unit_amount_decimal", "x")],
         "unit_amount_decimal is no decimal: 'x'"),
        ("POST", "/v1/invoiceitems", [("period[start]", "1")], "period[end] is missing"),
        ("POST", "/v1/invoiceitems", [("period", "1")], "period is no object"),
        ("POST", "/v1/invoiceitems", [("discountable", "1")], "discountable is no boolean: '1'"),
        ("POST", "/v1/invoiceitems", [("customer", "c" * 5001)], "customer is longer than 5000"),
        ("POST", "/v1/invoiceitems/ii_1", [("currency", "usd")], "currency is unknown"),
        ("POST", "/v1/invoices", [("pending_invoice_items_behavior", "all")],
         "pending_invoice_items_behavior is none of exclude, include: 'all'"),
        ("POST", "/v1/invoices/in_1/add_lines", [], "lines is missing"),
        ("POST", "/v1/invoices/in_1/add_lines", [("lines[0][item]", "ii_1")],
         "lines[0][item] is unknown"),
        ("GET", "/v1/invoiceitems", [("metadata[a]", "b")], "metadata is unknown"),
    ],
)  # fmt: skip
def test_a_wrong_request_is_named(
    method: str, path: str, form: list[tuple[str, str]], problem: str
) -> None:
    assert check_request(method, path, form) == [f"{method} {path}: {problem}"]


def test_a_fixed_path_is_preferred_to_one_with_an_id() -> None:
    assert stripe_openapi.operation("GET", "/v1/invoices/search") is not None
    assert check_request("GET", "/v1/invoices/search", []) == [
        "GET /v1/invoices/search: query is missing"
    ]


def _list(*data: dict[str, Any]) -> dict[str, Any]:
    return {"object": "list", "data": list(data), "has_more": False, "url": "/v1/customers"}


CUSTOMER = {"id": "cus_1", "object": "customer", "created": 17, "livemode": False}


@pytest.mark.parametrize(
    ("status", "body", "problems"),
    [
        (200, _list(), []),
        (200, _list(CUSTOMER), []),
        (200, _list({**CUSTOMER, "currency": None}), []),
        (200, {}, ["data is missing", "has_more is missing", "object is missing",
                   "url is missing"]),
        (200, _list({**CUSTOMER, "livemode": "no"}), ["data[0][livemode] is no boolean: 'no'"]),
        (200, _list({**CUSTOMER, "created": True}), ["data[0][created] is no unix-time: True"]),
        (200, _list({**CUSTOMER, "id": None}), ["data[0][id] is null"]),
        (200, _list({**CUSTOMER, "object": "client"}),
         ["data[0][object] is none of customer: 'client'"]),
        (400, {"error": {"type": "invalid_request_error"}}, []),
        (400, {"error": {}}, ["error[type] is missing"]),
        (400, {"error": {"type": "oops"}},
         [("error[type] is none of api_error, card_error, idempotency_error, "
           "invalid_request_error: 'oops'")]),
    ],
)  # fmt: skip
def test_an_answer_is_held_against_its_schema(
    status: int, body: dict[str, Any], problems: list[str]
) -> None:
    expected = [f"GET /v1/customers -> {status}: {problem}" for problem in problems]
    assert check_response("GET", "/v1/customers", status, body) == expected


def test_fields_that_stripe_does_not_have_are_reported_on_demand() -> None:
    body = _list({**CUSTOMER, "colour": "red"})
    assert check_response("GET", "/v1/customers", 200, body) == []
    assert check_response("GET", "/v1/customers", 200, body, strict=True) == [
        "GET /v1/customers -> 200: data[colour] is unknown"
    ]


def test_every_request_of_a_ledger_is_checked() -> None:
    class Control:
        def ledger(self, after: int = 0) -> list[dict[str, Any]]:
            return [
                {"seq": 1, "method": "POST", "path": "/v1/invoiceitems", "form": ITEM},
                {"seq": 2, "method": "POST", "path": "/v1/invoiceitems", "form": [["cost", "1"]]},
            ]

    assert check_ledger(Control()) == ["request 2: POST /v1/invoiceitems: cost is unknown"]


def test_the_description_is_loaded_once() -> None:
    assert stripe_openapi.description() is stripe_openapi.description()
