"""The page's part about overages: how far they have come to invoices, and whose they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import groupby

from aimeter_cli.render.html.figures import count, finest, money, plural
from aimeter_cli.render.html.markup import Child, Markup, clipped, element
from aimeter_cli.render.html.table import Heading, table
from aimeter_cli.services.reports.customers import Customer, CustomerSums, StatusSum

_ITEMS = 3
"""Of a customer's invoice items the latest are named, others counted."""
_WORDS = {
    "open": "the period still runs",
    "frozen": "on its way to an invoice item",
    "carried": "below the smallest unit, kept for the next item",
    "needs_rate": "waits for a currency rate",
    "held": "waits for a decision",
    "failed": "refused by Stripe",
    "unknown": "Stripe has not answered clearly",
    "synced": "on an invoice item",
    "waived": "given up",
}


def by_customer(found: CustomerSums) -> Iterator[Markup]:
    """Two tables for each currency: by status, and by customer."""
    for currency, rows in groupby(found.by_status, key=lambda each: each.currency):
        yield _statuses(currency, list(rows))
        yield _customers(currency, [each for each in found.customers if each.currency == currency])


def status(word: str) -> Markup:
    """A word with its colour."""
    return element("span", word.replace("_", " "), class_=f"status {word}")


_STATUSES = (
    Heading("Status"), Heading("Overages", is_number=True), Heading("Amount", is_number=True),
)  # fmt: skip
_CUSTOMERS = (
    Heading("Customer"), Heading("Overages", is_number=True), Heading("Amount", is_number=True),
    Heading("Status"), Heading("Invoice items"),
)  # fmt: skip


def _statuses(currency: str, rows: Sequence[StatusSum]) -> Markup:
    total = sum((row.amount for row in rows), Decimal(0))
    fine = finest((amount, currency) for amount in [total, *(row.amount for row in rows)])
    return table(
        f"By status, in {currency.upper()}",
        _STATUSES,
        [
            (
                [status(row.status), element("span", _WORDS[row.status], class_="beside")],
                count(row.count),
                money(row.amount, currency, finest=fine),
            )
            for row in rows
        ],
        total=(
            "Total", count(sum(row.count for row in rows)),
            money(total, currency, finest=fine),
        ),
    )  # fmt: skip


def _customers(currency: str, rows: Sequence[Customer]) -> Markup:
    fine = finest((row.amount, currency) for row in rows)
    return table(
        f"By customer, in {currency.upper()}",
        _CUSTOMERS,
        [
            (
                _name(row), count(row.count), money(row.amount, currency, finest=fine),
                _by_status(row), _items(row),
            )
            for row in rows
        ],
    )  # fmt: skip


def _name(row: Customer) -> Child:
    if row.others:
        return plural(row.others, "other customer")
    beside = element("span", clipped(row.name), class_="beside") if row.name else None
    return [element("span", clipped(row.billable or ""), class_="name"), beside]


def _by_status(row: Customer) -> Child:
    """The word alone where all has one status, otherwise with the amount of each."""
    if len(row.by_status) == 1:
        return [status(word) for word in row.by_status]
    return [
        element("div", status(word), " ", money(amount, row.currency))
        for word, amount in row.by_status.items()
    ]


def _items(row: Customer) -> Child:
    if not row.stripe_item_ids:
        return "–"
    shown = [element("code", clipped(each), class_="id") for each in row.stripe_item_ids[:_ITEMS]]
    more = len(row.stripe_item_ids) - len(shown)
    return [shown, element("span", f"and {more:,} more", class_="beside") if more else None]
