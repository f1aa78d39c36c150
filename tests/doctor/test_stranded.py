"""The doctor names items that no invoice will take before long, with what to do."""

from __future__ import annotations

from typing import Any

from aimeter_cli.sandbox.client import SandboxControl
from tests.cli.conftest import billing, customer
from tests.cli.test_main_job import owe
from tests.conftest import Cli

__all__ = ["billing", "customer"]


def stranded(cli: Cli, time: str) -> list[tuple[Any, ...]]:
    checks = cli("doctor", "--format", "json", "--as-of", time).json
    return [
        (check["status"], check["detail"], check["hint"])
        for check in checks
        if check["name"] == "stranded"
    ]


def test_stranded_items_are_a_warning_with_what_to_do(
    cli: Cli, billing: SandboxControl, customer: Any
) -> None:
    owe(cli, customer=customer())
    cli("sync-stripe-overages", "--as-of", "2026-11-15T12:00:00Z")
    assert stranded(cli, "2026-11-15T12:00:00Z") == [
        ("ok", "an invoice is to be expected for every pending item", None)
    ]
    [(status, detail, hint)] = stranded(cli, "2027-02-15T12:00:00Z")
    told = "1 item(s) on no invoice within 35 days: not_collected: user:42"
    assert (status, detail) == ("warning", told)
    assert hint.startswith(f"look at {billing.items()[0]['id']} at Stripe")
