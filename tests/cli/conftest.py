"""Commands on a sandbox."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.request import Request, urlopen

import pytest

from aimeter_cli.sandbox.client import SandboxControl

Api = Callable[..., dict[str, Any]]


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
