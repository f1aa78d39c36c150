"""Commands on a sandbox."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest

from aimeter_cli.sandbox.client import SandboxControl
from tests.conftest import Cli

Api = Callable[..., dict[str, Any]]
Post = Callable[..., dict[str, Any]]


@pytest.fixture
def billing(sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch) -> SandboxControl:
    """The sandbox, with the environment that makes the command use it."""
    monkeypatch.setenv("AI_METERING_BILLING_DRIVER", "stripe")
    monkeypatch.setenv("STRIPE_API_KEY", "sk_test_of_the_commands")
    monkeypatch.setenv("STRIPE_API_BASE", sandbox.url)
    return sandbox


@pytest.fixture
def customer(billing: SandboxControl) -> Callable[[], str]:
    """Makes customers at the sandbox; returns their ids."""

    def make() -> str:
        request = Request(
            f"{billing.url}/v1/customers",
            data=b"description=of+a+test",
            headers={"Authorization": "Bearer sk_test_1"},
        )
        with urlopen(request) as answer:
            return str(json.load(answer)["id"])

    return make


@pytest.fixture
def post(billing: SandboxControl, cli: Cli) -> Post:
    """Makes objects at the sandbox; a plan ``pro`` of the price ``price_pro`` is there."""
    cli("plans", "create", "Pro", "--stripe-price", "price_pro")

    def make(path: str, **form: str) -> dict[str, Any]:
        request = Request(
            f"{billing.url}/v1/{path}", data=urlencode(form).encode(),
            headers={"Authorization": "Bearer sk_test_1"},
        )  # fmt: skip
        with urlopen(request) as answer:
            made: dict[str, Any] = json.load(answer)
            return made

    return make
