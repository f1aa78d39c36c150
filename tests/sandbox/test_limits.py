from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import pytest
import stripe

from aimeter_cli.sandbox.client import SandboxControl
from aimeter_cli.sandbox.refusals import ApiError
from aimeter_cli.sandbox.traffic import RateLimit
from tests.sandbox.http_calls import Calls

URL = "/v1/invoiceitems"


def test_more_requests_than_an_endpoint_allows_are_a_429(
    client: stripe.StripeClient, api: Calls, sandbox: SandboxControl, customer: str
) -> None:
    sandbox.set(rate_limit=5)
    statuses = [api.get(URL).status for _ in range(7)]
    assert statuses == [200] * 5 + [429] * 2
    with pytest.raises(stripe.RateLimitError) as caught:
        client.v1.invoice_items.list({})
    assert caught.value.error is not None
    assert caught.value.error.code == "rate_limit"
    headers = caught.value.headers or {}
    assert headers["Stripe-Rate-Limited-Reason"] == "endpoint-rate"
    assert headers["Retry-After"] == "1"
    assert api.get("/v1/invoices").status == 200  # another endpoint
    assert api.post(URL, {"customer": customer}).status == 400  # so is another method


def test_each_object_of_an_endpoint_counts_for_it(
    api: Calls, sandbox: SandboxControl, customer: str
) -> None:
    items = [api.item(customer)["id"] for _ in range(3)]
    sandbox.set(rate_limit=2)
    assert [api.get(f"{URL}/{item}").status for item in items] == [200, 200, 429]


def test_the_limit_holds_in_every_second_and_refusals_do_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr("aimeter_cli.sandbox.traffic.time.monotonic", lambda: now)
    limit, admitted, waits = RateLimit(), [], set()
    for step in range(400):  # 100 requests a second for 4 seconds
        now = step / 100
        try:
            limit.admit("GET /", 25)
            admitted.append(now)
        except ApiError as refusal:
            waits.add(refusal.headers["Retry-After"])
    assert waits == {"1"}
    assert len(admitted) == 100
    assert all(later - first >= 1 for first, later in zip(admitted, admitted[25:], strict=False))


def test_a_request_takes_as_long_as_it_is_told_to(api: Calls, sandbox: SandboxControl) -> None:
    sandbox.set(latency_ms=80)
    start = monotonic()
    api.get("/v1/account")
    assert monotonic() - start >= 0.08


@pytest.mark.parametrize("mode", ["off", "stored", "unstored"])
def test_two_writes_at_once_on_one_customer_are_a_lock_timeout_when_switched_on(
    api: Calls, sandbox: SandboxControl, customer: str, mode: str
) -> None:
    sandbox.set(lock_timeout=mode)
    made = api.item(customer)["id"]
    other = api.post("/v1/customers").json["id"]
    sandbox.add_fault("slow", delay=0.25, when="before", times=1)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(api.post, f"{URL}/{made}", {"amount": 2})
        while len(sandbox.ledger()) < 4:
            sandbox.health()
        form = {"customer": customer, "amount": 5, "currency": "usd"}
        second = api.post(URL, form, key="k1")
        assert api.get(f"{URL}/{made}").status == 200
        assert api.post(URL, {**form, "customer": other}).status == 200
        assert first.result().status == 200
    retried = api.post(URL, form, key="k1")
    if mode == "off":
        assert second.status == 200
        return
    assert (second.status, second.error["code"]) == (429, "lock_timeout")
    assert "Stripe-Rate-Limited-Reason" not in second.headers
    assert retried.status == (429 if mode == "stored" else 200)


@pytest.mark.parametrize(
    "wrong",
    [
        {"rate_limit": 0},
        {"rate_limit": "5"},
        {"latency_ms": -1},
        {"latency_ms": None},
        {"replay_header": 1},
        {"key_retention": True},
        {"lock_timeout": "on"},
        {"speed": 1},
    ],
)
def test_a_wrong_setting_is_refused_and_changes_nothing(
    sandbox: SandboxControl, wrong: dict[str, object]
) -> None:
    before = sandbox.settings()
    with pytest.raises(ValueError, match=next(iter(wrong))):
        sandbox.set(**wrong)
    assert sandbox.settings() == before
