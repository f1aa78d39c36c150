"""The sandbox's clock in tests, and what it made happen."""

from collections.abc import Sequence
from typing import Any

from aimeter_cli.sandbox.client import SandboxControl
from tests.sandbox.http_calls import Calls
from tests.sandbox.test_subscriptions import moment

URL = "/v1/subscriptions"
HOUR, DAY = 3600, 86_400
START = moment("2027-01-31T12:00")

FINALIZED = ["invoice.finalized", "invoice.updated"]
PAID = ["invoice.paid", "invoice.payment_succeeded", "invoice.updated"]


def at(sandbox: SandboxControl, seconds: int) -> None:
    sandbox.move_clock(seconds - sandbox.now())


def subscribe(api: Calls, customer: str, price: str = "price_pro", **more: str) -> Any:
    reply = api.post(URL, {"customer": customer, "items[0][price]": price, **more})
    assert reply.status == 200, reply.body
    return reply.json


class Told:
    """The events since the last look."""

    def __init__(self, sandbox: SandboxControl) -> None:
        self.sandbox, self.seen = sandbox, len(sandbox.events())

    def since(self) -> list[dict[str, Any]]:
        events = self.sandbox.events()[self.seen :]
        self.seen += len(events)
        return [event for event in events if not event["type"].startswith("customer.u")]

    def types(self) -> list[str]:
        return [event["type"] for event in self.since()]


def statuses(events: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    """How the subscription's status went."""
    return [
        (event["data"]["previous_attributes"]["status"], event["data"]["object"]["status"])
        for event in events
        if "status" in event["data"].get("previous_attributes", {})
        and event["type"] == "customer.subscription.updated"
    ]
