"""What happens at Stripe: customers, subscriptions, the invoice at the end of the month."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import requests

from aimeter_cli.sandbox.client import SandboxControl
from tests.demo.cast import Customer

KEY = "sk_test_demo"
_ZERO_DECIMAL = ("jpy",)


class StripeSide:
    """Speaks to the sandbox as a person or a product would, over HTTP."""

    def __init__(self, sandbox: SandboxControl) -> None:
        self.sandbox = sandbox
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {KEY}"

    def close(self) -> None:
        self._session.close()

    def set_clock(self, moment: datetime) -> None:
        self.sandbox.move_clock(moment.timestamp() - self.sandbox.now())

    def define_price(self, plan: str, currency: str) -> str:
        """A monthly price of 49.00 that stands for the plan, in a currency; its id."""
        price = f"price_{plan}{currency}"
        amount = 4900 if currency not in _ZERO_DECIMAL else 7400
        self.sandbox.define_price(price, currency=currency, unit_amount=amount)
        return price

    def subscribe(self, customer: Customer, price: str, at: datetime) -> tuple[str, str]:
        """A new customer whose subscription begins at a time; the ids of both."""
        self.set_clock(at)
        made = self.post("customers", {"name": customer.name, "email": customer.email})
        subscription = self.post(
            "subscriptions", {"customer": made["id"], "items[0][price]": price}
        )
        return str(made["id"]), str(subscription["id"])

    def post(self, path: str, form: dict[str, str]) -> dict[str, Any]:
        return self._checked(self._session.post(self._url(path), data=form))

    def _url(self, path: str) -> str:
        return f"{self.sandbox.url}/v1/{path}"

    @staticmethod
    def _checked(answer: requests.Response) -> dict[str, Any]:
        answer.raise_for_status()
        return cast(dict[str, Any], answer.json())


def invoice_table(invoice: dict[str, Any]) -> str:
    """The invoice as its recipient would read it, from Stripe's JSON."""
    head = f"{invoice['id']}  {invoice['customer_name']}  {invoice['status']}"
    rows = [
        (line["description"], f"{_day(line['period']['start'])} – {_day(line['period']['end'])}",
         money(line["amount"], line["currency"]))
        for line in invoice["lines"]["data"]
    ]  # fmt: skip
    rows.append(("Total", "", money(invoice["total"], invoice["currency"])))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        f"{text:<{widths[0]}}  {period:<{widths[1]}}  {amount:>{widths[2]}}"
        for text, period, amount in rows
    ]
    rule = "─" * max(len(head), len(lines[0]))
    return "\n".join([head, rule, *lines[:-1], rule, lines[-1]])


def money(minor: int, currency: str) -> str:
    """Minor units as people write them."""
    if currency in _ZERO_DECIMAL:
        return f"{minor} {currency.upper()}"
    return f"{minor // 100}.{minor % 100:02d} {currency.upper()}"


def _day(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"
