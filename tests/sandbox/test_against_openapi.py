"""The sandbox does not drift from Stripe: its parameters and answers, held to the description."""

from collections.abc import Mapping

import pytest

from aimeter_cli.sandbox.client import SandboxControl
from aimeter_cli.sandbox.params import BOUNDS, Field
from aimeter_cli.sandbox.routes import ROUTES, Route
from tests.sandbox.http_calls import Calls, Reply
from tests.support.stripe_openapi import check_ledger, check_request, check_response

SAMPLES = {
    "text": "x", "integer": "1", "decimal": "1.5", "boolean": "true", "currency": "usd",
    "email": "a@example.com", "moment": "now",
}  # fmt: skip
NAMED = {"api_version": "2024-06-20", "enabled_events": "invoice.paid"}
"""Texts of which Stripe takes only some."""


def samples(fields: Mapping[str, Field], prefix: str = "") -> list[tuple[str, str]]:
    """A request that uses every parameter that the sandbox accepts, once."""
    form: list[tuple[str, str]] = []
    for name, field in fields.items():
        full = f"{prefix}[{name}]" if prefix else name
        if field.kind == "object":
            form += samples(field.fields, full)
        elif field.kind == "array":
            inner = field.of.fields if field.of else None
            form += (
                samples(inner, f"{full}[0]") if inner else [(f"{full}[0]", NAMED.get(name, "x"))]
            )
        elif field.kind == "range":
            form += samples(BOUNDS, full)
        elif field.kind == "metadata":
            form.append((f"{full}[key]", "value"))
        elif field.kind == "enum":
            form.append((full, field.choices[0]))
        else:
            form.append((full, NAMED.get(name, SAMPLES[field.kind])))
    return form


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_accepted_parameter_is_one_of_stripes(route: Route) -> None:
    path = route.path.replace("{}", "id_1")
    assert check_request(route.method, path, samples(route.fields)) == []


HOMES = {
    "customer": "customers", "invoice": "invoices", "invoiceitem": "invoiceitems",
    "price": "prices", "product": "products", "subscription": "subscriptions",
}  # fmt: skip


def problems(method: str, path: str, reply: Reply) -> list[str]:
    """Against the description; what it does not know counts too."""
    if path == "/v1/events":  # of their objects the description says nothing
        found = check_response(method, path, reply.status, reply.json)
        bodies = [event["data"]["object"] for event in reply.json["data"]]
        return found + [
            problem
            for body in bodies
            for problem in check_response(
                "GET", f"/v1/{HOMES[body['object']]}/id_1", 200, body, strict=True
            )
        ]
    return check_response(method, path, reply.status, reply.json, strict=True)


def test_every_answer_is_shaped_like_stripes(
    api: Calls, sandbox: SandboxControl, customer: str
) -> None:
    found: list[str] = []

    def get(path: str) -> None:
        reply = api.get(path)
        assert reply.status == 200
        found.extend(problems("GET", path.partition("?")[0], reply))

    def post(path: str, form: dict[str, str] | None = None) -> str:
        reply = api.post(path, form)
        assert reply.status == 200, reply.body
        found.extend(problems("POST", path, reply))
        return str(reply.json["id"])

    get("/v1/account")
    post("/v1/customers", {"email": "a@example.com", "metadata[a]": "b"})
    post(f"/v1/customers/{customer}", {"name": "x"})
    subscription = post("/v1/subscriptions", {"customer": customer, "items[0][price]": "price_a"})
    form = {"customer": customer, "amount": "150", "currency": "usd"}
    item = post("/v1/invoiceitems", {**form, "tax_rates[0]": "txr_1", "subscription": subscription})
    post(f"/v1/invoiceitems/{item}", {"amount": "160", "description": "x"})
    spare = post("/v1/invoiceitems", form)
    post("/v1/invoiceitems", {**form, "amount": "5", "period[start]": "1", "period[end]": "2"})
    collected = {"customer": customer, "pending_invoice_items_behavior": "include"}
    invoice = post("/v1/invoices", {**collected, "subscription": subscription})
    draft = post("/v1/invoices", {"customer": customer, "auto_advance": "false"})
    added = post("/v1/invoiceitems", form)
    post(f"/v1/invoices/{draft}/add_lines", {"lines[0][invoice_item]": added})
    post(f"/v1/invoices/{draft}", {"description": "May"})
    post(f"/v1/invoices/{invoice}/finalize", {"auto_advance": "false"})
    post(f"/v1/invoices/{invoice}/mark_uncollectible")
    post(f"/v1/invoices/{invoice}/void")
    post(f"/v1/invoices/{draft}/pay", {"paid_out_of_band": "true"})
    product = post("/v1/products", {"name": "Pro", "metadata[a]": "b"})
    post(f"/v1/products/{product}", {"description": "x"})
    price = post("/v1/prices", {"product": product, "currency": "usd", "unit_amount": "5",
                                "recurring[interval]": "month"})  # fmt: skip
    post(f"/v1/prices/{price}", {"nickname": "Pro"})
    wanted = {"url": "http://127.0.0.1:9/", "enabled_events[0]": "invoice.paid"}
    endpoint = post("/v1/webhook_endpoints", wanted)
    post(f"/v1/webhook_endpoints/{endpoint}", {"disabled": "true"})
    for path in ("customers", "invoiceitems", "invoices", "subscriptions", "products", "prices",
                 "webhook_endpoints", "events?limit=100",
                 "customers/search?query=name%3A%22x%22",
                 f"products/{product}", f"prices/{price}"):  # fmt: skip
        get(f"/v1/{path}")
    for path in (f"customers/{customer}", f"invoiceitems/{item}", f"invoices/{invoice}",
                 f"invoices/{invoice}/lines", f"subscriptions/{subscription}"):  # fmt: skip
        get(f"/v1/{path}")
    empty = post("/v1/invoices", {"customer": customer})
    loose = post("/v1/invoiceitems", form)
    for path in (f"webhook_endpoints/{endpoint}", f"invoices/{empty}", f"invoiceitems/{loose}",
                 f"subscriptions/{subscription}", f"customers/{customer}"):  # fmt: skip
        reply = api.delete(f"/v1/{path}")
        assert reply.status == 200
        found.extend(problems("DELETE", f"/v1/{path}", reply))
    get(f"/v1/customers/{customer}")
    assert spare
    assert found == []
    assert check_ledger(sandbox) == []


def test_subscriptions_and_invoices_of_every_status_are_shaped_like_stripes(
    api: Calls, sandbox: SandboxControl, customer: str
) -> None:
    sandbox.define_price("price_pro", unit_amount=4900)
    sandbox.set(renewals="auto", after_retries="past_due")
    form = {"customer": customer, "items[0][price]": "price_pro"}
    trialing = api.post("/v1/subscriptions", {**form, "trial_period_days": "3"}).json["id"]
    cancelled = api.post("/v1/subscriptions", form).json["id"]
    changes = {"cancel_at_period_end": "true", "pause_collection[behavior]": "void",
               "metadata[a]": "b", "default_payment_method": "pm_card_visa"}  # fmt: skip
    replies = [("POST", f"/v1/subscriptions/{cancelled}",
                api.post(f"/v1/subscriptions/{cancelled}", changes))]  # fmt: skip
    sandbox.fail_payments(customer)
    api.post("/v1/subscriptions", form)
    sandbox.move_clock(5 * 86_400)
    sandbox.move_clock(30 * 86_400)
    for path in ("/v1/subscriptions", "/v1/invoices", "/v1/events", "/v1/customers"):
        reply = api.get(path, {"limit": "100", **({"status": "all"} if "sub" in path else {})})
        replies.append(("GET", path, reply))
    pay = f"/v1/invoices/{sandbox.invoices()[-1]['id']}/pay"
    replies.append(("POST", pay, api.post(pay)))
    listed = replies[1][2].json["data"]
    assert {entry["status"] for entry in listed} == {"past_due", "canceled", "incomplete_expired"}
    assert next(entry for entry in listed if entry["id"] == trialing)["status"] == "past_due"
    assert replies[-1][2].status == 402
    assert [problem for each in replies for problem in problems(*each)] == []


@pytest.mark.parametrize(
    ("path", "form", "status"),
    [
        ("/v1/invoiceitems", {}, 400),
        ("/v1/invoiceitems", {"customer": "cus_none", "amount": "1", "currency": "usd"}, 400),
        ("/v1/invoiceitems/ii_none", {"amount": "1"}, 404),
        ("/v1/invoices/in_none/pay", {}, 404),
    ],
)
@pytest.mark.parametrize("fault", [None, "500_before", "429", "lock_timeout", "409", "400"])
def test_every_error_is_shaped_like_stripes(
    api: Calls, sandbox: SandboxControl, path: str, form: dict[str, str], status: int,
    fault: str | None,
) -> None:  # fmt: skip
    if fault is not None and status == 400:
        sandbox.add_fault(fault)
    reply = api.post(path, form)
    assert reply.status >= 400
    assert problems("POST", path, reply) == []
