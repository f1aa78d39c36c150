"""Each fault does to the request, the key and the item what it says, by the ledger."""

from time import monotonic

import pytest
import stripe

from aimeter_cli.sandbox.client import SandboxControl
from tests.sandbox.fault_calls import URL, last, send
from tests.sandbox.http_calls import Calls


@pytest.mark.parametrize(
    ("fault", "answer", "executed", "told", "outcome"),
    [
        # kept from executing
        ("reset", None, False, None, None),
        ("409", 409, False, 409, None),
        ("429", 429, False, 429, None),
        ("502", 502, False, 502, None),
        ("500_before", 500, False, 500, 500),
        ("lock_timeout", 429, False, 429, 429),
        ("400:code=tax_id_invalid", 400, False, 400, 400),
        # executed
        ("lost", None, True, None, 200),
        ("truncate", None, True, 200, 200),
        ("hang:seconds=0.05", None, True, None, 200),
        ("500_after", 500, True, 500, 500),
        ("slow:delay=0.05", 200, True, 200, 200),
        ("slow:delay=0.05,when=before", 200, True, 200, 200),
    ],
)
def test_what_the_client_is_told_and_what_happened(
    api: Calls,
    sandbox: SandboxControl,
    customer: str,
    fault: str,
    answer: int | None,
    executed: bool,
    told: int | None,
    outcome: int | None,
) -> None:
    sandbox.add_fault(fault, method="POST", times=1)
    reply = send(api, customer)
    assert (reply.status if reply else None) == answer
    row = last(sandbox)
    assert (row["fault"], row["executed"], row["status"], row["outcome"]) == (
        fault.partition(":")[0],
        executed,
        told,
        outcome,
    )
    assert len(sandbox.items()) == len(sandbox.effects()) == int(executed)


@pytest.mark.parametrize(
    ("fault", "status", "replayed", "items"),
    [
        ("reset", 200, False, 1),
        ("409", 200, False, 1),
        ("429", 200, False, 1),
        ("502", 200, False, 1),
        ("500_before", 500, True, 0),
        ("500_before:stored=no", 200, False, 1),
        ("lock_timeout", 429, True, 0),
        ("lock_timeout:stored=no", 200, False, 1),
        ("400", 400, True, 0),
        ("400:stored=no", 200, False, 1),
        ("lost", 200, True, 1),
        ("truncate", 200, True, 1),
        ("hang:seconds=0.05", 200, True, 1),
        ("500_after", 500, True, 1),
        ("500_after:stored=no", 200, False, 2),
        ("slow:delay=0.05", 200, True, 1),
    ],
)
def test_what_the_same_key_finds_afterwards(
    api: Calls,
    sandbox: SandboxControl,
    customer: str,
    fault: str,
    status: int,
    replayed: bool,
    items: int,
) -> None:
    sandbox.add_fault(fault, method="POST", times=1)
    send(api, customer)
    again = send(api, customer)
    assert again is not None
    assert again.status == status
    assert (again.headers.get("Idempotent-Replayed") == "true") is replayed
    assert len(sandbox.items()) == items


@pytest.mark.parametrize(
    ("fault", "error", "cause"),
    [
        ("reset", stripe.APIConnectionError, "ConnectionResetError"),
        ("lost", stripe.APIConnectionError, "ConnectionResetError"),
        ("truncate", stripe.APIConnectionError, "IncompleteRead"),
        ("500_before", stripe.APIError, "An unknown error occurred"),
        ("502", stripe.APIError, "<html>"),
        ("429", stripe.RateLimitError, "rate limit exceeded"),
        ("lock_timeout", stripe.RateLimitError, "cannot be accessed right now"),
        ("409", stripe.APIError, "in-progress request"),
        ("400:message=No.", stripe.InvalidRequestError, "No."),
    ],
)
def test_what_the_stripe_package_makes_of_it(
    client: stripe.StripeClient,
    sandbox: SandboxControl,
    customer: str,
    fault: str,
    error: type[stripe.StripeError],
    cause: str,
) -> None:
    sandbox.add_fault(fault, method="POST")
    with pytest.raises(error) as caught:
        client.v1.invoice_items.create({"customer": customer, "amount": 1, "currency": "usd"})
    assert cause in f"{caught.value} {caught.value.__cause__!r}"


@pytest.mark.parametrize("fault", ["hang", "held:delay=0,answer=timeout", "slow:delay=5"])
def test_without_an_answer_the_stripe_package_times_out(
    impatient: stripe.StripeClient, sandbox: SandboxControl, customer: str, fault: str
) -> None:
    sandbox.add_fault(fault, method="POST")
    with pytest.raises(stripe.APIConnectionError, match="timed out"):
        impatient.v1.invoice_items.create({"customer": customer, "amount": 1, "currency": "usd"})
    sandbox.wait_until_settled()
    assert len(sandbox.items()) == 1


def test_a_rate_limit_may_say_when_to_come_back(
    api: Calls, sandbox: SandboxControl, customer: str
) -> None:
    sandbox.add_fault("429:nth=1")
    sandbox.add_fault("429:nth=2,retry_after=3")
    sandbox.add_fault("lock_timeout:nth=3")
    replies = [send(api, customer, key) for key in ("a", "b", "c")]
    headers = [reply.headers for reply in replies if reply]
    assert [h.get("Retry-After") for h in headers] == [None, "3", None]
    reasons = [h.get("Stripe-Rate-Limited-Reason") for h in headers]
    assert reasons == ["endpoint-rate", "endpoint-rate", None]


def test_a_gateways_page_is_html_and_bears_no_request_id(
    api: Calls, sandbox: SandboxControl
) -> None:
    sandbox.add_fault("502")
    reply = api.get("/v1/account")
    assert reply.headers["Content-Type"] == "text/html"
    assert reply.body.startswith(b"<html>")
    assert "Request-Id" not in reply.headers


def test_a_slow_answer_comes_late_and_whole(
    client: stripe.StripeClient, sandbox: SandboxControl
) -> None:
    sandbox.add_fault("slow:delay=0.1")
    start = monotonic()
    client.v1.customers.list()
    assert monotonic() - start >= 0.1


def test_a_stored_answer_wins_over_a_fault_in_execution(
    api: Calls, sandbox: SandboxControl, customer: str
) -> None:
    send(api, customer)
    sandbox.add_fault("500_before")
    replay = send(api, customer)
    assert replay is not None
    assert (replay.status, replay.headers["Idempotent-Replayed"]) == (200, "true")
    assert last(sandbox)["fault"] is None


def test_a_fault_for_one_customer_leaves_others_alone(
    api: Calls, sandbox: SandboxControl, customer: str
) -> None:
    other = api.post("/v1/customers").json["id"]
    poisoned = api.item(customer, 100)["id"]
    sandbox.add_fault(f"400:customer={customer},method=POST,message=Poison.")
    assert api.post(f"{URL}/{poisoned}", {"amount": 1}).error["message"] == "Poison."
    assert api.post(f"/v1/customers/{customer}", {"name": "x"}).status == 400
    assert api.item(other)["amount"] == 100
