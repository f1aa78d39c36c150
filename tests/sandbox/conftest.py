"""One sandbox process for the whole folder, emptied before each test."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import stripe

from aimeter_cli.sandbox.client import SandboxControl
from aimeter_cli.sandbox.process import running
from tests.conftest import SANDBOX_DEFAULTS
from tests.sandbox.http_calls import Calls
from tests.sandbox.passing_time import START, at


@pytest.fixture(scope="session")
def process() -> Iterator[SandboxControl]:
    with running() as control:
        yield control


@pytest.fixture
def sandbox(process: SandboxControl) -> SandboxControl:
    """The sandbox, empty, with its default settings."""
    process.wait_until_settled()
    process.reset()
    process.set(**SANDBOX_DEFAULTS)
    return process


@pytest.fixture
def api(sandbox: SandboxControl) -> Calls:
    """Plain HTTP to the API, a new connection for every request."""
    return Calls(sandbox.url)


@contextmanager
def stripe_client(url: str, timeout: float) -> Iterator[stripe.StripeClient]:
    http_client = stripe.RequestsClient(timeout=timeout)
    yield stripe.StripeClient(
        "sk_test_1",
        base_addresses={"api": url},
        http_client=http_client,
        max_network_retries=0,
    )
    http_client.close()  # type: ignore[no-untyped-call]


@pytest.fixture
def client(sandbox: SandboxControl) -> Iterator[stripe.StripeClient]:
    """The real ``stripe`` package, without retries."""
    with stripe_client(sandbox.url, 2) as made:
        yield made


@pytest.fixture
def impatient(sandbox: SandboxControl) -> Iterator[stripe.StripeClient]:
    """The same with a time-out of 0.1 s."""
    with stripe_client(sandbox.url, 0.1) as made:
        yield made


@pytest.fixture
def customer(api: Calls) -> str:
    """The id of a customer."""
    return str(api.post("/v1/customers").json["id"])


@pytest.fixture
def clocked(sandbox: SandboxControl) -> SandboxControl:
    """The sandbox on 31 January, where time does what is due."""
    sandbox.define_price("price_pro", unit_amount=4900)
    sandbox.define_price("price_week", unit_amount=900, interval="week")
    sandbox.set(renewals="auto")
    at(sandbox, START)
    return sandbox
