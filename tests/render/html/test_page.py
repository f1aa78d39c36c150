"""The page: one document, every figure in its place, nothing from outside as markup."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from aimeter_cli.domain.periods import zone
from aimeter_cli.render.html.page import page
from aimeter_cli.services.reports.customers import CustomerSums
from aimeter_cli.services.reports.span import Span
from aimeter_cli.services.reports.timeline import Timeline
from aimeter_cli.services.reports.usage import UsageReport
from tests.render.html.reading import Node, facts, read
from tests.render.html.sample import MADE, NOVEMBER, TOTALS, sample


@pytest.fixture(scope="module")
def shown() -> Node:
    return read(page(sample()))


def test_the_sums_are_of_each_currency(shown: Node) -> None:
    told = facts(shown)
    assert told["Requests"] == "4"
    assert told["Tokens"] == "1,527"
    assert told["Cost"] == "2.00 EUR | 4.250000125 USD"
    assert told["Charged beyond plans"] == "0.50 EUR | 1.50 USD"


def test_models_stand_under_the_currency_of_their_cost_with_their_share(shown: Node) -> None:
    assert shown.table("Usage that cost USD") == [
        ["Model", "Requests", "Tokens", "Cost", "Share", "Charged"],
        ["gpt-5openai", "2", "1,500", "4.000000125 USD", "94 %", "1.50 USD"],
        ["miniopenai", "1", "7", "0.25 USD", "5 %", "–"],
        ["Total", "3", "1,507", "4.250000125 USD", "", ""],
    ]
    assert [cells[0] for cells in shown.table("Usage that cost EUR")] == [
        "Model", "m-largemistral", "Total",
    ]  # fmt: skip


def test_every_day_has_its_figures_and_its_column_in_the_charts(shown: Node) -> None:
    table = shown.table("Usage by day")
    assert table[0] == ["Day", "Requests", "Tokens", "Cost in EUR", "Cost in USD"]
    assert len(table) == 16
    assert table[3] == ["3 November 2026", "2", "507", "0.00 EUR", "1.250000125 USD"]
    tokens, euros, dollars = [
        each for each in shown.all("svg") if "bar" not in each.attributes.get("class", "")
    ]
    assert next(tokens.all("desc")).text == "15 days; the most on 2 November 2026: 1,000 tokens."
    assert [len(list(each.all("rect"))) for each in (tokens, euros, dollars)] == [15, 15, 15]
    assert dollars.attributes["viewbox"] == "0 0 150 1000"
    assert list(dollars.all("rect"))[2].text == "3 November 2026: 1.250000125 USD"


def test_customers_have_their_statuses_amounts_and_invoice_items(shown: Node) -> None:
    assert shown.table("By customer, in USD") == [
        ["Customer", "Overages", "Amount", "Status", "Invoice items"],
        ["team:7Seven", "1", "3.00 USD", "synced", "ii_1ii_2ii_3and 1 more"],
        ["user:1", "2", "1.50 USD", "open 0.50 USDfailed 1.00 USD", "–"],
    ]
    assert [cells[-1] for cells in shown.table("By status, in USD")] == [
        "Amount", "0.50 USD", "1.00 USD", "3.00 USD", "4.50 USD",
    ]  # fmt: skip


def test_the_sync_tells_its_last_run_what_is_unsent_and_what_to_do(shown: Node) -> None:
    told = facts(shown)
    assert told["Last run"] == "15 November 2026, 11:51 UTC, done, but single rows failed"
    assert told["Last success"] == "15 November 2026, 11:51 UTC, 9 minutes before this page"
    assert (told["Failed"], told["Events of Stripe not handled yet"]) == ("1", "2")
    assert shown.table("Overages on no invoice yet")[1] == [
        "2 November 2026, 00:00 UTC", "1", "1.50 USD",
    ]  # fmt: skip
    assert shown.table("Overages that cannot be sent")[1] == [
        "failed", "1", "aimeter overages retry 7",
    ]  # fmt: skip
    assert next(shown.all("p", "headline")).text == (
        "Attention: 1 overage cannot be sent until somebody acts."
    )


def test_it_says_what_it_covers_when_it_was_made_and_from_which_database(shown: Node) -> None:
    assert next(shown.all("title")).text == "Usage, 1 – 30 November 2026"
    assert next(shown.all("h1")).text == "1 – 30 November 2026"
    assert [each.text for each in next(shown.all("footer")).all("p")] == [
        "Made 15 November 2026, 12:00 UTC by aimeter from database aimeter.db.",
        (
            "Usage that occurred from 2026-11-01T00:00:00Z to 2026-12-01T00:00:00Z, the end not "
            "included; days of UTC. Of each currency the 50 largest models and customers stand by "
            "themselves."
        ),
        "The sync is that of the whole installation, as it stood then.",
    ]


def test_programs_that_read_aloud_find_headings_captions_titles_and_the_language(
    shown: Node,
) -> None:
    assert next(shown.all("html")).attributes == {"lang": "en"}
    for table in shown.all("table"):
        assert [each.tag for each in table.children if isinstance(each, Node)][:2] == [
            "caption", "thead",
        ]  # fmt: skip
        assert all(
            cell.attributes["scope"] == "col"
            for row in table.all("thead")
            for cell in row.all("th")
        )
        assert all(
            cell.attributes["scope"] == "row"
            for row in table.all("tbody")
            for cell in row.all("th")
        )
    ids = [
        each.attributes["id"]
        for tag in shown.tags() - {""}
        for each in shown.all(tag)
        if "id" in each.attributes
    ]
    assert len(set(ids)) == len(ids)
    for svg in shown.all("svg"):
        if svg.attributes.get("aria-hidden") != "true":
            assert svg.attributes["role"] == "img"
            assert set(svg.attributes["aria-labelledby"].split()) <= set(ids)


def test_figures_are_to_the_right_in_every_table(shown: Node) -> None:
    for table in shown.all("table"):
        for cell in table.all("td"):
            if any(cell.all("data")) and cell.attributes["data-label"] != "Status":
                assert cell.attributes["class"] == "number"


def test_without_usage_or_overages_it_says_so() -> None:
    found = replace(
        sample(),
        usage=UsageReport(NOVEMBER, None, ("day", "provider", "model"), [], [], False),
        timeline=Timeline("day", []),
        models=[],
        overages=CustomerSums([], []),
        status=None,
    )
    shown = read(page(found))
    assert [each.text for each in shown.all("p", "empty")] == [
        "No usage from 2026-11-01T00:00:00Z to 2026-12-01T00:00:00Z.",
        "Nobody went beyond a plan.",
    ]
    assert not list(shown.all("svg"))
    assert "Sync to Stripe" not in [each.text for each in shown.all("h2")]


def test_usage_that_cost_nothing_costs_nothing_in_its_currency() -> None:
    found = sample()
    free = replace(TOTALS[1], cost=Decimal(0), charge=Decimal(0))
    shown = read(page(replace(found, models=[], usage=replace(found.usage, totals=[free]))))
    assert facts(shown)["Cost"] == "0.00 USD"
    assert facts(shown)["Charged beyond plans"] == "nothing"


def test_usage_without_a_price_and_pruned_usage_are_told() -> None:
    found = sample()
    usage = replace(
        found.usage, totals=[replace(TOTALS[1], unpriced=2), TOTALS[0]], is_inexact=True
    )
    notes = [each.text for each in read(page(replace(found, usage=usage))).all("p", "note")]
    assert notes[0] == "2 usages without a price: their cost is not in these sums."
    assert notes[1].startswith("Part of this usage was pruned")


BERLIN = zone("Europe/Berlin")


@pytest.mark.parametrize(
    ("since", "until", "timezone", "title"),
    [
        (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC), "UTC",
         "1 November 2026"),
        (datetime(2026, 10, 1, tzinfo=BERLIN), datetime(2026, 12, 1, tzinfo=BERLIN),
         "Europe/Berlin", "1 October – 30 November 2026"),
        (datetime(2025, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC), "UTC",
         "1 November 2025 – 30 November 2026"),
        (None, datetime(2026, 12, 1, tzinfo=UTC), "UTC", "Until 30 November 2026"),
        (datetime(2026, 11, 1, tzinfo=UTC), MADE, "UTC",
         "1 November 2026 – 15 November 2026, 12:00"),
        (MADE, datetime(2026, 12, 1, tzinfo=UTC), "UTC",
         "15 November 2026, 12:00 – 30 November 2026"),
    ],
)  # fmt: skip
def test_a_range_is_named_by_its_days_and_by_times_within_one(
    since: datetime | None, until: datetime, timezone: str, title: str
) -> None:
    found = sample()
    usage = replace(found.usage, span=Span(since, until, timezone))
    shown = read(page(replace(found, usage=usage)))
    assert next(shown.all("h1")).text == title


def test_a_single_day_is_one_column() -> None:
    found = sample()
    part = replace(found.timeline.parts[1], first=date(2026, 11, 2), last=date(2026, 11, 2))
    shown = read(page(replace(found, timeline=Timeline("day", [part]))))
    svg = next(shown.all("svg"))
    assert [each.attributes["x"] for each in svg.all("rect")] == ["31"]
    assert svg.attributes["viewbox"] == "0 0 80 1000"
    assert next(svg.all("desc")).text.startswith("1 day; ")


def test_sync_that_never_ran_and_is_paused_is_told() -> None:
    found = sample()
    assert found.status is not None
    job = replace(found.status.jobs[0], started_at=None, finished_at=None, last_success_at=None)
    status = replace(
        found.status, jobs=[job], is_paused=True, paused_at=MADE, paused_reason="incident",
        problems=["sync is paused: incident"], blocked_reasons=[],
    )  # fmt: skip
    shown = read(page(replace(found, status=status)))
    told = facts(shown)
    assert (told["Last run"], told["Last success"]) == ("never", "never")
    assert told["Paused"] == "since 15 November 2026, 12:00 UTC: incident"
    assert next(shown.all("p", "headline")).text == (
        "Attention: sync is paused: incident; the sync has never succeeded."
    )
    well = replace(status, problems=[], unsynced=[], is_paused=False)
    assert next(read(page(replace(found, status=well))).all("p", "headline")).text == (
        "Well: nothing waits."
    )


def test_yen_and_dinars_have_their_own_places() -> None:
    found = sample()
    costs = [("jpy", "12.5", "12.5 JPY"), ("kwd", "0.1", "0.100 KWD"), ("usd", "-3", "-3.00 USD")]
    totals = [
        replace(TOTALS[0], currency=currency, cost=Decimal(cost)) for currency, cost, _ in costs
    ]
    shown = read(page(replace(found, models=[], usage=replace(found.usage, totals=totals))))
    assert facts(shown)["Cost"] == " | ".join(told for *_, told in costs)
