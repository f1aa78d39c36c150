"""The figures in a page's DOM beside those of ``--format json``: each pair must be equal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from tests.browser.chromium import Tab

_TABLES = """Object.fromEntries([...document.querySelectorAll('table')].map(table => [
  table.caption.textContent,
  [...table.tBodies[0].rows].map(row => [...row.cells].map(cell => ({
    name: (cell.querySelector('.name, .status') ?? cell).textContent,
    values: [...cell.querySelectorAll('data')].map(each => each.value),
  }))),
]))"""
_FACTS = """Object.fromEntries([...document.querySelectorAll('dl > div')].map(each => [
  each.querySelector('dt').textContent,
  [...each.querySelectorAll('data')].map(figure => figure.value),
]))"""

Pair = tuple[str, Any, Any]


def pairs(tab: Tab, documents: dict[str, Any]) -> Iterator[Pair]:
    """(what, on the page, in JSON). ``documents``: ``models days overages status``."""
    tables, facts = tab.evaluate(_TABLES), tab.evaluate(_FACTS)
    yield from _totals(facts, documents["models"])
    yield from _models(tables, documents["models"])
    yield from _days(tables, documents["days"])
    yield from _overages(tables, documents["overages"])
    yield from _status(tables, facts, documents["status"])


def differences(found: Iterator[Pair]) -> tuple[list[str], int]:
    """What differs, and how many pairs were compared."""
    faults, count = [], 0
    for what, here, there in found:
        count += 1
        if here != there:
            faults.append(f"{what}: the page has {here}, JSON has {there}")
    return faults, count


def _totals(facts: dict[str, Any], report: dict[str, Any]) -> Iterator[Pair]:
    totals = report["totals"]
    for name in ("requests", "tokens"):
        yield name, facts[name.title()], [str(sum(each[name] for each in totals))]
    yield "cost", facts["Cost"], [each["cost"] for each in totals if Decimal(each["cost"])]
    charged = [each["charge"] for each in totals if Decimal(each["charge"])]
    yield "charge", facts["Charged beyond plans"], charged


def _models(tables: dict[str, Any], report: dict[str, Any]) -> Iterator[Pair]:
    wanted: dict[tuple[str, str], list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 3)
    for row in report["rows"]:
        sums = wanted[row["currency"], row["model"]]
        added = (row["requests"], row["tokens"], Decimal(row["cost"]))
        wanted[row["currency"], row["model"]] = [a + b for a, b in zip(sums, added, strict=True)]
    shown = {
        (currency, row[0]["name"]): [Decimal(cell["values"][0]) for cell in row[1:4]]
        for currency in {each["currency"] for each in report["totals"]}
        for row in tables.get(f"Usage that cost {currency.upper()}", [])
    }
    yield "models", sorted(shown), sorted(wanted)
    for key, sums in wanted.items():
        yield f"model {key}", shown.get(key), sums


def _days(tables: dict[str, Any], report: dict[str, Any]) -> Iterator[Pair]:
    wanted: dict[int, int] = defaultdict(int)
    for row in report["rows"]:
        wanted[int(row["day"][-2:])] += row["tokens"]
    for row in tables["Usage by day"]:
        day = int(row[0]["name"].split()[0])
        yield f"tokens of day {day}", row[2]["values"], [str(wanted[day])]


def _overages(tables: dict[str, Any], overages: list[dict[str, Any]]) -> Iterator[Pair]:
    for title, name in (("By customer", "billable"), ("By status", "status")):
        wanted: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for each in overages:
            key = each["currency"], each[name].replace("_", " ") if name == "status" else each[name]
            wanted[key] += Decimal(each["amount"])
        shown = {
            (currency, row[0]["name"]): Decimal(row[2]["values"][0])
            for currency in {each["currency"] for each in overages}
            for row in tables[f"{title}, in {currency.upper()}"]
        }
        yield title, shown, dict(wanted)


def _status(
    tables: dict[str, Any], facts: dict[str, Any], status: dict[str, Any]
) -> Iterator[Pair]:
    names = {
        "Failed": "failed", "Held": "held", "Without a clear answer": "unknown",
        "Events of Stripe not handled yet": "webhooks_due",
    }  # fmt: skip
    for title, name in names.items():
        yield name, facts[title], [str(status[name])]
    unsent = [row[2]["values"][0] for row in tables["Overages on no invoice yet"]]
    yield "unsent", unsent, [each["amount"] for each in status["unsynced"]]
