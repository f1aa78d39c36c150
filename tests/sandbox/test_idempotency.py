from concurrent.futures import ThreadPoolExecutor

import pytest
import stripe

from aimeter_cli.sandbox.client import SandboxControl
from tests.sandbox.http_calls import Calls

URL = "/v1/invoiceitems"


def item(customer: str, amount: int = 100) -> dict[str, str]:
    return {"customer": customer, "amount": str(amount), "currency": "usd"}


def test_the_same_request_under_the_same_key_is_answered_again_not_executed(
    api: Calls, sandbox: SandboxControl, customer: str
) -> None:
    first = api.post(URL, item(customer), key="k1")
    again = api.post(URL, dict(reversed(item(customer).items())), key="k1")
    assert (again.status, again.body) == (first.status, first.body)
    assert first.headers["Idempotency-Key"] == again.headers["Idempotency-Key"] == "k1"
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Original-Request"] == first.headers["Request-Id"]
    assert again.headers["Request-Id"] != first.headers["Request-Id"]
    assert len(sandbox.items()) == len(sandbox.effects()) == 1
    rows = sandbox.ledger()[-2:]
    assert [(row["executed"], row["replayed"]) for row in rows] == [(True, False), (False, True)]


def test_the_stripe_package_sees_a_mismatch_as_an_idempotency_error(
    client: stripe.StripeClient, sandbox: SandboxControl, customer: str
) -> None:
    form: stripe.params.InvoiceItemCreateParams
    form = {"customer": customer, "amount": 1, "currency": "usd"}
    client.v1.invoice_items.create(form, {"idempotency_key": "k1"})
    with pytest.raises(stripe.IdempotencyError) as caught:
        client.v1.invoice_items.create({**form, "amount": 2}, {"idempotency_key": "k1"})
    assert caught.value.http_status == 400
    assert "only be used with the same parameters" in str(caught.value)
    with pytest.raises(stripe.IdempotencyError) as caught:
        client.v1.customers.create({}, {"idempotency_key": "k1"})
    assert "same endpoint they were first used for ('/v1/customers' vs '/v1/invoiceitems')" in str(
        caught.value
    )
    assert [effect["new"] for effect in sandbox.effects()] == [1]


def test_a_refusal_by_validation_is_not_stored(api: Calls, customer: str) -> None:
    assert api.post(URL, {**item(customer), "foo": "1"}, key="k1").status == 400
    assert api.post(URL, item(customer), key="k1").status == 200


def test_a_refusal_by_execution_is_stored(
    api: Calls, sandbox: SandboxControl, customer: str
) -> None:
    api.delete(f"/v1/customers/{customer}")
    first = api.post(URL, item(customer), key="k1")
    again = api.post(URL, item(customer), key="k1")
    assert (first.status, again.status, again.body) == (400, 400, first.body)
    assert again.headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("key", [None, "sk_live_1", "sk_test_forbidden"])
def test_a_refused_key_or_a_rate_limit_is_not_stored(
    api: Calls, sandbox: SandboxControl, customer: str, key: str | None
) -> None:
    assert Calls(sandbox.url, key).post(URL, item(customer), key="k1").status in (401, 403)
    sandbox.add_fault("429", times=1)
    assert api.post(URL, item(customer), key="k1").status == 429
    assert api.post(URL, item(customer), key="k1").status == 200


def test_a_key_in_flight_is_a_409_that_is_not_stored(
    client: stripe.StripeClient, api: Calls, sandbox: SandboxControl, customer: str
) -> None:
    sandbox.add_fault("slow", delay=0.25, when="before", times=1)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(api.post, URL, item(customer), key="k1")
        while len(sandbox.ledger()) < 2:
            sandbox.health()
        with pytest.raises(stripe.APIError) as caught:
            client.v1.invoice_items.create(
                {"customer": customer, "amount": 100, "currency": "usd"},
                {"idempotency_key": "k1"},
            )
        assert caught.value.http_status == 409
        assert caught.value.error is not None
        assert caught.value.error.code == "idempotency_key_in_use"
        assert first.result().status == 200
    assert api.post(URL, item(customer), key="k1").headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize(
    ("retention", "passed", "forgotten"),
    [(86_400, 86_399, False), (86_400, 86_401, True), (5, 6, True), (None, 10**8, False)],
)
def test_a_key_is_forgotten_after_its_time_by_the_sandbox_clock(
    api: Calls,
    sandbox: SandboxControl,
    customer: str,
    retention: float | None,
    passed: float,
    forgotten: bool,
) -> None:
    sandbox.set(key_retention=retention)
    first = api.post(URL, item(customer), key="k1").json["id"]
    sandbox.move_clock(passed)
    again = api.post(URL, item(customer), key="k1")
    assert (again.json["id"] != first) is forgotten
    assert ("Idempotent-Replayed" not in again.headers) is forgotten


def test_the_mark_of_a_replay_can_be_stripped(
    api: Calls, sandbox: SandboxControl, customer: str
) -> None:
    sandbox.set(replay_header=False)
    bodies = {api.post(URL, item(customer), key="k1").body for _ in range(2)}
    assert len(bodies) == 1
    assert "Idempotent-Replayed" not in api.post(URL, item(customer), key="k1").headers


def test_only_post_has_keys(api: Calls, customer: str) -> None:
    made = api.item(customer)["id"]
    path = f"{URL}/{made}"
    assert api.call("GET", path, key="k1").status == 200
    assert api.call("DELETE", path, key="k1").status == 200
    assert "Idempotent-Replayed" not in api.call("DELETE", path, key="k1").headers


def test_a_key_has_at_most_255_characters(api: Calls, customer: str) -> None:
    assert api.post(URL, item(customer), key="k" * 255).status == 200
    assert api.post(URL, item(customer), key="k" * 256).status == 400
