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
    "email": "a@example.com",
}  # fmt: skip


def samples(fields: Mapping[str, Field], prefix: str = "") -> list[tuple[str, str]]:
    """A request that uses every parameter that the sandbox accepts, once."""
    form: list[tuple[str, str]] = []
    for name, field in fields.items():
        full = f"{prefix}[{name}]" if prefix else name
        if field.kind == "object":
            form += samples(field.fields, full)
        elif field.kind == "array":
            inner = field.of.fields if field.of else None
            form += samples(inner, f"{full}[0]") if inner else [(f"{full}[0]", "x")]
        elif field.kind == "range":
            form += samples(BOUNDS, full)
        elif field.kind == "metadata":
            form.append((f"{full}[key]", "value"))
        elif field.kind == "enum":
            form.append((full, field.choices[0]))
        else:
            form.append((full, SAMPLES[field.kind]))
    return form


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_accepted_parameter_is_one_of_stripes(route: Route) -> None:
    path = route.path.replace("{}", "id_1")
    assert check_request(route.method, path, samples(route.fields)) == []


def problems(method: str, path: str, reply: Reply) -> list[str]:
    """Against the description; what it does not know counts too."""
    return check_response(method, path, reply.status, reply.json, strict=True)


def test_every_answer_is_shaped_like_stripes(
    api: Calls, sandbox: SandboxControl, customer: str
) -> None:
    found: list[str] = []

    def get(path: str) -> None:
        reply = api.get(path)
        assert reply.status == 200
        found.extend(problems("GET", path, reply))

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
    for path in ("customers", "invoiceitems", "invoices", "subscriptions"):
        get(f"/v1/{path}")
    for path in (f"customers/{customer}", f"invoiceitems/{item}", f"invoices/{invoice}",
                 f"invoices/{invoice}/lines", f"subscriptions/{subscription}"):  # fmt: skip
        get(f"/v1/{path}")
    empty = post("/v1/invoices", {"customer": customer})
    loose = post("/v1/invoiceitems", form)
    for path in (f"invoices/{empty}", f"invoiceitems/{loose}", f"subscriptions/{subscription}",
                 f"customers/{customer}"):  # fmt: skip
        reply = api.delete(f"/v1/{path}")
        assert reply.status == 200
        found.extend(problems("DELETE", f"/v1/{path}", reply))
    get(f"/v1/customers/{customer}")
    assert spare
    assert found == []
    assert check_ledger(sandbox) == []


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
