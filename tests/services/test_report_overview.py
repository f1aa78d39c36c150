"""The overview behind the page: timelines without gaps, customers and models by currency."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, cast

import pytest

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.errors import NotFound
from aimeter_cli.sandbox.client import SandboxControl
from aimeter_cli.services.reports.models import model_sums
from aimeter_cli.services.reports.overview import Overview, overview
from aimeter_cli.services.reports.span import Span, span
from aimeter_cli.services.reports.timeline import Timeline, timeline
from tests.render.html.sample import row
from tests.support.world import NOW, World, sandbox_settings

NOVEMBER = span("UTC", now=NOW)
START = date(2026, 11, 1)


@pytest.fixture
def any_world(any_database: Database) -> World:
    return World(any_database, cast(SandboxControl, None), sandbox_settings("http://127.0.0.1:9"))


@pytest.fixture
def world(database: Database) -> World:
    return World(database, cast(SandboxControl, None), sandbox_settings("http://127.0.0.1:9"))


def seen(world: World, covered: Span = NOVEMBER, **options: Any) -> Overview:
    return overview(world.database, world.settings, covered, now=world.now, **options)


def with_overages(world: World) -> World:
    """Three customers of a plan in dollars, 1, 2 and 3 cents beyond it; one of a plan in euros."""
    dollars, euros = world.plan(), world.plan("euro", currency="eur")
    for number in (1, 2, 3):
        world.subscriber(f"user:{number}", plan=dollars, customer=f"cus_{number}")
        world.use(1000 + 500 * number, f"user:{number}")
    world.subscriber("team:7", plan=euros, customer=None)
    world.use(51_000, "team:7")
    return world


@pytest.fixture
def owing(world: World) -> World:
    return with_overages(world)


def test_customers_stand_under_their_currency_those_who_owe_most_first(any_world: World) -> None:
    with_overages(any_world)
    any_world.execute("UPDATE ai_billables SET name = 'Three' WHERE external_id = '3'")
    any_world.execute(
        "UPDATE ai_overages SET status = 'synced', external_item_id = 'ii_3' WHERE billable_id ="
        " (SELECT id FROM ai_billables WHERE external_id = '3')"
    )
    found = seen(any_world).overages
    told = [(each.currency, each.billable, each.amount, each.count) for each in found.customers]
    assert told == [
        ("eur", "team:7", Decimal(1), 1),
        ("usd", "user:3", Decimal("0.03"), 1),
        ("usd", "user:2", Decimal("0.02"), 1),
        ("usd", "user:1", Decimal("0.01"), 1),
    ]
    third = found.customers[1]
    assert (third.name, third.by_status) == ("Three", {"synced": Decimal("0.03")})
    assert list(third.stripe_item_ids) == ["ii_3"]
    sums = [(each.currency, each.status, each.count, each.amount) for each in found.by_status]
    assert sums == [
        ("eur", "open", 1, Decimal(1)),
        ("usd", "open", 2, Decimal("0.03")),
        ("usd", "synced", 1, Decimal("0.03")),
    ]


def test_smaller_customers_and_models_are_one_row_that_keeps_the_sum(owing: World) -> None:
    found = seen(owing, limit=1)
    dollars = [each for each in found.overages.customers if each.currency == "usd"]
    assert [(each.billable, each.others, each.amount) for each in dollars] == [
        ("user:3", 0, Decimal("0.03")),
        (None, 2, Decimal("0.03")),
    ]
    assert dollars[1].by_status == {"open": Decimal("0.03")}
    assert dollars[1].stripe_item_ids == ()


def test_one_customer_sees_nothing_of_others(owing: World) -> None:
    found = seen(owing, billable=BillableRef("user", "2"))
    assert {each.billable for each in found.overages.customers} == {"user:2"}
    assert [each.count for each in found.overages.by_status] == [1]
    assert [each.requests for each in found.models] == [1]
    assert found.status is None
    assert found.usage.billable == "user:2"


def test_an_unknown_billable_is_not_found(world: World) -> None:
    with pytest.raises(NotFound, match="user:9"):
        seen(world, billable=BillableRef("user", "9"))


@pytest.mark.parametrize(
    ("since", "until", "count"),
    [
        (datetime(2026, 11, 10, tzinfo=UTC), datetime(2026, 11, 11, tzinfo=UTC), 1),
        (None, datetime(2026, 11, 1, tzinfo=UTC), 0),
        (datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC), 0),
    ],
)
def test_overages_are_those_whose_period_has_time_in_common_with_the_report(
    world: World, since: datetime | None, until: datetime, count: int
) -> None:
    world.subscriber("user:1", plan=world.plan(), customer=None)
    world.use(2000, "user:1")
    found = seen(world, Span(since, until, "UTC"))
    assert sum(each.count for each in found.overages.by_status) == count


def test_an_empty_database_has_an_empty_overview(world: World) -> None:
    found = seen(world)
    assert (found.usage.rows, found.timeline.parts, found.models) == ([], [], [])
    assert (found.overages.customers, found.overages.by_status) == ([], [])
    assert found.database == "aimeter.db"


def test_a_month_that_is_over_is_shown_to_its_last_day_another_one_to_today(world: World) -> None:
    for occurred in ("2026-10-05T12:00:00Z", "2026-11-02T12:00:00Z"):
        world.use(10, "user:1", occurred_at=occurred)
    last = {
        month: seen(world, span("UTC", now=NOW, month=month)).timeline.parts[-1].last
        for month in ("2026-10", "2026-11")
    }
    assert last == {"2026-10": date(2026, 10, 31), "2026-11": date(2026, 11, 15)}


def days(count: int) -> Timeline:
    rows = [row(str(START + timedelta(days=n)), "m", 10, "1") for n in range(count)]
    return timeline(rows, START, START)


@pytest.mark.parametrize(
    ("count", "unit", "parts"),
    [
        (1, "day", 1), (62, "day", 62), (63, "week", 10), (400, "week", 58), (430, "month", 15),
        (1860, "month", 62), (1900, "year", 7),
    ],
)  # fmt: skip
def test_many_days_are_joined_and_nothing_is_lost(count: int, unit: str, parts: int) -> None:
    found = days(count)
    assert (found.unit, len(found.parts)) == (unit, parts)
    assert sum(part.tokens for part in found.parts) == 10 * count
    assert sum((part.costs["usd"] for part in found.parts), Decimal(0)) == count
    edges = [(part.first, part.last) for part in found.parts]
    assert edges[0][0] == START
    assert edges[-1][1] == START + timedelta(days=count - 1)
    for (_, last), (first, _) in pairwise(edges):
        assert first - last == timedelta(days=1)


def test_weeks_begin_on_monday() -> None:
    assert all(part.first.weekday() == 0 for part in days(63).parts[1:])


def test_a_day_without_usage_is_in_the_timeline() -> None:
    found = timeline([row("2026-11-03", "m", 10, "1")], START, date(2026, 11, 4))
    assert [part.tokens for part in found.parts] == [0, 0, 10, 0]


def test_without_a_beginning_the_timeline_starts_with_the_first_usage() -> None:
    found = timeline([row("2026-11-03", "m", 10, "1")], None, date(2026, 11, 4))
    assert [part.first.day for part in found.parts] == [3, 4]


def test_currencies_of_a_day_are_never_added_together() -> None:
    rows = [row("2026-11-01", "m", 1, "1", "usd"), row("2026-11-01", "m", 1, "2", "eur")]
    [part] = timeline(rows, START, START).parts
    assert (part.tokens, part.costs) == (2, {"usd": Decimal(1), "eur": Decimal(2)})


def test_a_model_is_one_row_however_many_currencies_it_is_charged_in() -> None:
    rows = [
        row("2026-11-01", "m", 1, "1", charge="5"),
        row("2026-11-02", "m", 1, "1", charge="7", charge_currency="eur"),
        row("2026-11-02", "m", 1, "4", "eur"),
    ]
    [euros, dollars] = model_sums(rows, 50)
    assert (dollars.requests, dollars.cost) == (2, Decimal(2))
    assert dollars.charges == {"usd": Decimal(5), "eur": Decimal(7)}
    assert (euros.cost, euros.charges) == (Decimal(4), {})


def test_the_dearest_models_come_first_and_the_others_are_summed_up() -> None:
    rows = [row("2026-11-01", name, 5, cost, charge="1")
            for name, cost in (("a", "1"), ("b", "3"), ("c", "2"), ("d", "2"))]  # fmt: skip
    found = model_sums(rows, 2)
    assert [(each.model, each.others, each.cost) for each in found] == [
        ("b", 0, Decimal(3)), ("c", 0, Decimal(2)), (None, 2, Decimal(3)),
    ]  # fmt: skip
    assert (found[2].requests, found[2].tokens, found[2].charges) == (2, 10, {"usd": Decimal(2)})
