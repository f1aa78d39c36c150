"""The page's parts about usage: the sums, by time, and by model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from itertools import groupby

from aimeter_cli.domain.money import Money
from aimeter_cli.render.bars import percent
from aimeter_cli.render.html.chart import Mark, chart
from aimeter_cli.render.html.figures import bar, count, days, finest, money, plural
from aimeter_cli.render.html.markup import Child, Markup, clipped, element
from aimeter_cli.render.html.table import Heading, table
from aimeter_cli.services.reports.models import ModelSum
from aimeter_cli.services.reports.overview import Overview
from aimeter_cli.services.reports.timeline import Part, Timeline, Unit
from aimeter_cli.services.reports.usage import Total

_ADVERBS = {"day": "by day", "week": "by week", "month": "by month", "year": "by year"}


def sums(found: Overview) -> Markup:
    """The figures that people look for first."""
    totals = found.usage.totals
    costs = [money(each.cost, each.currency) for each in costly(totals)]
    charges = [money(each.charge, each.currency) for each in totals if each.charge]
    each = [
        _card("Requests", [count(sum(total.requests for total in totals))]),
        _card("Tokens", [count(sum(total.tokens for total in totals))]),
        _card("Cost", costs or ["–"]),
        _card("Charged beyond plans", charges or ["nothing"]),
    ]
    return element("dl", each, class_="cards")


def costly(totals: Sequence[Total]) -> list[Total]:
    """Those of the currencies in which something cost something; where nothing did, all."""
    return [each for each in totals if each.cost] or [each for each in totals if each.requests]


def by_time(found: Overview) -> Iterator[Markup]:
    """A chart of tokens, one of the cost in each currency, and their figures."""
    time = found.timeline
    yield _chart(
        "Tokens", "tokens", time,
        lambda part: Decimal(part.tokens), lambda part: plural(part.tokens, "token"),
    )  # fmt: skip
    for total in costly(found.usage.totals):
        yield _cost_chart(total.currency, time)
    yield element(
        "details",
        element("summary", f"Figures {_ADVERBS[time.unit]}"),
        _figures(time, [each.currency for each in costly(found.usage.totals)]),
    )


def by_model(found: Overview) -> Iterator[Markup]:
    """A table for each currency: no sum goes over two."""
    totals = {each.currency: each for each in found.usage.totals}
    for currency, rows in groupby(found.models, key=lambda row: row.currency):
        yield _models(list(rows), totals[currency])


def _card(title: str, figures: Sequence[Child]) -> Markup:
    return element("div", element("dt", title), [element("dd", each) for each in figures])


def _cost_chart(currency: str, time: Timeline) -> Markup:
    def cost(part: Part) -> Decimal:
        return part.costs.get(currency, Decimal(0))

    return _chart(
        f"Cost in {currency.upper()}", f"cost-{currency}", time,
        cost, lambda part: str(Money(cost(part), currency)),
    )  # fmt: skip


def _chart(
    what: str,
    key: str,
    time: Timeline,
    size: Callable[[Part], Decimal],
    words: Callable[[Part], str],
) -> Markup:
    unit = time.unit
    if unit == "week" and time.parts[0].first.year != time.parts[-1].first.year:
        unit = "month"  # a day and a month would not tell which year's they are
    marks = [
        Mark(size(part), _label(part, unit), f"{days(part.first, part.last)}: {words(part)}")
        for part in time.parts
    ]
    highest = max(marks, key=lambda mark: mark.size)
    title = f"{what} {_ADVERBS[time.unit]}"
    told = f"{plural(len(marks), time.unit)}; the most on {highest.title}."
    return element("figure", element("figcaption", title), chart(key, title, told, marks))


def _label(part: Part, unit: Unit) -> str:
    if unit in ("day", "week"):
        return f"{part.first.day} {part.first:%b}"
    return f"{part.first:%b %Y}" if unit == "month" else str(part.first.year)


def _figures(time: Timeline, currencies: Sequence[str]) -> Markup:
    width = {
        currency: finest((part.costs.get(currency, Decimal(0)), currency) for part in time.parts)
        for currency in currencies
    }
    headings = [
        Heading(time.unit.title()), Heading("Requests", is_number=True),
        Heading("Tokens", is_number=True),
        *(Heading(f"Cost in {currency.upper()}", is_number=True) for currency in currencies),
    ]  # fmt: skip
    rows = [
        [
            days(part.first, part.last), count(part.requests), count(part.tokens),
            *(
                money(part.costs.get(currency, Decimal(0)), currency, finest=width[currency])
                for currency in currencies
            ),
        ]
        for part in time.parts
    ]  # fmt: skip
    return table(f"Usage {_ADVERBS[time.unit]}", headings, rows)


_MODELS = (
    Heading("Model"), Heading("Requests", is_number=True), Heading("Tokens", is_number=True),
    Heading("Cost", is_number=True), Heading("Share", is_bar=True),
    Heading("Charged", is_number=True),
)  # fmt: skip


def _models(rows: Sequence[ModelSum], total: Total) -> Markup:
    by_cost = total.cost > 0
    whole = total.cost if by_cost else Decimal(total.tokens)

    def size(row: ModelSum) -> Decimal:
        return row.cost if by_cost else Decimal(row.tokens)

    largest = max((size(row) for row in rows if not row.others), default=Decimal(0))
    cost = finest([(row.cost, row.currency) for row in rows] + [(total.cost, total.currency)])
    charge = finest((amount, code) for row in rows for code, amount in row.charges.items())
    return table(
        f"Usage that cost {total.currency.upper()}",
        _MODELS,
        [
            (
                _name(row), count(row.requests), count(row.tokens),
                money(row.cost, row.currency, finest=cost),
                [bar(size(row), largest), element("span", percent(size(row), whole))],
                [
                    element("div", money(amount, code, finest=charge))
                    for code, amount in row.charges.items()
                ]
                or "–",
            )
            for row in rows
        ],
        total=(
            "Total", count(total.requests), count(total.tokens),
            money(total.cost, total.currency, finest=cost), None, None,
        ),
    )  # fmt: skip


def _name(row: ModelSum) -> Child:
    if row.others:
        return plural(row.others, "other model")
    return [
        element("span", clipped(row.model or ""), class_="name"),
        element("span", clipped(row.provider or ""), class_="beside"),
    ]
