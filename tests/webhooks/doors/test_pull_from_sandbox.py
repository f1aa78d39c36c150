"""``webhooks pull`` over HTTP."""

from __future__ import annotations

import pytest
import stripe

from aimeter_cli.sandbox.client import SandboxControl
from tests.conftest import Cli
from tests.webhooks.conftest import World


def test_the_command_pulls_what_stripe_lists_and_moves_on(
    world: World, cli: Cli, sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = stripe.StripeClient("sk_test_pulling", base_addresses={"api": sandbox.url})
    customer = client.v1.customers.create({"email": "a@example.com"})
    for amount in (100, 200):
        item = client.v1.invoice_items.create(
            {"customer": customer.id, "amount": amount, "currency": "usd"}
        )
        client.v1.invoice_items.delete(item.id)
    for name, value in {
        "AI_METERING_BILLING_DRIVER": "stripe", "STRIPE_API_KEY": "sk_test_pulling",
        "STRIPE_API_BASE": sandbox.url,
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    pulled = cli("webhooks", "pull", "--format", "json")
    assert pulled.code == 0, pulled.err
    types = [each["type"] for each in pulled.json if each["type"] != "customer.updated"]
    assert types == ["invoiceitem.deleted"] * 2
    assert "Nothing new at Stripe." in cli("webhooks", "pull").err
    again = cli("webhooks", "pull", "--since", "1h", "--undelivered", "--format", "json")
    assert (again.code, again.json) == (0, [])  # no endpoint is waiting for any
    jobs = cli("status", "--format", "json").json["jobs"]
    assert "webhooks pull" in [each["command"] for each in jobs]
