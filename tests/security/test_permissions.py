"""``doctor`` names what a restricted key lacks."""

from __future__ import annotations

import pytest

from aimeter_cli.sandbox.client import SandboxControl
from tests.conftest import Cli

CASES = [
    ("rk_test_all", "ok", "may read what is needed"),
    ("rk_test_x_without_invoiceitems", "failed", "lacks Invoice items: Write"),
    ("rk_test_x_without_invoices_customers", "failed", "lacks Invoices: Write, Customers: Read"),
    ("rk_test_x_without_subscriptions", "failed", "lacks Subscriptions: Read"),
]


@pytest.mark.parametrize(("key", "status", "detail"), CASES)
def test_a_missing_permission_is_named_as_the_dashboard_names_it(
    key: str, status: str, detail: str, cli: Cli, sandbox: SandboxControl
) -> None:
    env = {"AI_METERING_BILLING_DRIVER": "stripe", "STRIPE_API_KEY": key,
           "STRIPE_API_BASE": sandbox.url}  # fmt: skip
    told = cli("doctor", "--format=json", env=env)
    checks = {each["name"]: each for each in told.json}
    assert (checks["permissions"]["status"], told.code) == (status, 0 if status == "ok" else 1)
    assert detail in checks["permissions"]["detail"]
    assert sandbox.effects() == []


def test_a_secret_key_is_not_asked(cli: Cli, sandbox: SandboxControl) -> None:
    env = {"AI_METERING_BILLING_DRIVER": "stripe", "STRIPE_API_KEY": "sk_test_x",
           "STRIPE_API_BASE": sandbox.url}  # fmt: skip
    checks = cli("doctor", "--format=json", env=env).json
    assert "permissions" not in {each["name"] for each in checks}
