"""Calls that may stay without an answer, and what the ledger says of the last one."""

from http.client import HTTPException
from time import monotonic
from typing import Any

from aimeter_cli.sandbox.client import SandboxControl
from tests.sandbox.http_calls import Calls, Reply

URL = "/v1/invoiceitems"
NO_ANSWER = (OSError, HTTPException)


def send(api: Calls, customer: str, key: str = "k1", amount: int = 100) -> Reply | None:
    """Ask for an item; None when no whole answer came."""
    form = {"customer": customer, "amount": amount, "currency": "usd"}
    try:
        return api.post(URL, form, key=key)
    except NO_ANSWER:
        return None


def wait_until_open(sandbox: SandboxControl) -> None:
    end = monotonic() + 5
    while monotonic() < end:
        try:
            sandbox.health()
        except ConnectionRefusedError:
            continue
        return
    raise AssertionError("connections are still refused")


def last(sandbox: SandboxControl) -> dict[str, Any]:
    return sandbox.ledger()[-1]
