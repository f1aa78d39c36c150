"""Reports on usage: any combination of dimensions, exact sums, currencies never added together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import combinations
from typing import Any, cast

import pytest

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.errors import InvalidInput, NotFound
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.usages import Usage, UsageDay
from aimeter_cli.sandbox.client import SandboxControl
from aimeter_cli.services.reports.span import Span, span
from aimeter_cli.services.reports.usage import (
    DIMENSIONS,
    ReportRow,
    UsageReport,
    dimensions,
    usage_report,
)
from tests.support.world import NOW, World, sandbox_settings

NOVEMBER = span("UTC", now=NOW)
CENT = Decimal("0.01")


@pytest.fixture
def any_world(any_database: Database) -> World:
    return World(any_database, cast(SandboxControl, None), sandbox_settings("http://127.0.0.1:9"))


@pytest.fixture
def world(database: Database) -> World:
    return World(database, cast(SandboxControl, None), sandbox_settings("http://127.0.0.1:9"))


def report(world: World, by: str, covered: Span = NOVEMBER, **options: Any) -> UsageReport:
    return usage_report(world.database, covered, dimensions(by), **options)


def short(row: ReportRow, *names: str) -> tuple[object, ...]:
    return (*(getattr(row, name) for name in names), row.requests, row.cost / CENT, row.currency)


def used(world: World, ref: str, model: str, cents: int | None, **fields: Any) -> None:
    cost = None if cents is None else str(cents * CENT)
    world.use(10, ref, model=model, cost=cost, **fields)


@pytest.fixture
def busy(any_world: World) -> World:
    """Two billables, three models, two providers, two currencies, five days; one plan in euros."""
    any_world.subscriber(
        "team:7", plan=any_world.plan(currency="eur", token_limit=15), customer=None
    )
    rows: list[tuple[str, str, int | None, dict[str, Any]]] = [
        ("user:1", "a", 5, {"feature": "chat", "occurred_at": "2026-11-01T00:00:00Z"}),
        ("user:1", "a", 7, {"feature": "search", "output_tokens": 3}),
        ("user:1", "b", 900, {"occurred_at": "2026-11-14T23:59:59.999999Z"}),
        ("user:1", "b", 1, {"currency": "eur", "cached_input_tokens": 4}),
        ("user:2", "c", None, {"provider": "nobody", "reasoning_tokens": 2}),
        ("user:2", "a", 3, {"provider": "other", "cache_write_tokens": 6}),
        ("team:7", "a", 2, {"currency": "eur", "occurred_at": "2026-11-03T00:00:00Z"}),
        ("team:7", "a", 2, {"currency": "eur", "occurred_at": "2026-11-04T00:00:00Z"}),
        ("user:1", "a", 10_000, {"occurred_at": "2026-10-31T23:59:59Z"}),
    ]
    for ref, model, cents, fields in rows:
        used(any_world, ref, model, cents, **fields)
    any_world.execute("UPDATE ai_usages SET tenant = 'acme' WHERE feature = 'chat'")
    return any_world


def test_the_dearest_is_first_and_currencies_stand_apart(busy: World) -> None:
    found = report(busy, "billable,model")
    assert [short(row, "billable", "model") for row in found.rows] == [
        ("team:7", "a", 2, 4, "eur"),
        ("user:1", "b", 1, 1, "eur"),
        ("user:1", "b", 1, 900, "usd"),
        ("user:1", "a", 2, 12, "usd"),
        ("user:2", "a", 1, 3, "usd"),
        ("user:2", "c", 1, 0, "usd"),
    ]
    totals = [(each.currency, each.requests, each.cost / CENT) for each in found.totals]
    assert totals == [("eur", 3, Decimal(5)), ("usd", 5, Decimal(915))]


def test_what_was_charged_stands_in_the_currency_of_the_plan(busy: World) -> None:
    busy.execute("UPDATE ai_usages SET currency = 'usd' WHERE charge <> 0")
    rows = {(row.currency, row.charge_currency): row for row in report(busy, "billable").rows
            if row.billable == "team:7"}  # fmt: skip
    assert rows["usd", "eur"].charge == Decimal("0.0001")
    assert rows["eur", "eur"].charge == 0
    totals = [(t.currency, t.requests, t.charge) for t in report(busy, "").totals]
    assert totals == [("eur", 2, Decimal("0.0001")), ("usd", 6, Decimal(0))]


def test_tokens_are_told_by_class_and_what_is_unpriced_is_counted(busy: World) -> None:
    [row] = [row for row in report(busy, "provider").rows if row.provider == "nobody"]
    assert (row.requests, row.unpriced, row.cost) == (1, 1, Decimal(0))
    assert (row.input_tokens, row.reasoning_tokens, row.tokens) == (10, 2, 12)
    whole = report(busy, "").rows
    classes = ("input", "cached_input", "cache_write", "output", "reasoning")
    sums = [sum(getattr(row, f"{name}_tokens") for row in whole) for name in classes]
    assert sums == [80, 4, 6, 3, 2]
    assert [each.unpriced for each in report(busy, "").totals] == [0, 1]


def test_a_feature_that_was_not_told_is_a_group_of_its_own(busy: World) -> None:
    rows = report(busy, "feature,tenant", billable=BillableRef("user", "1")).rows
    assert [short(row, "feature", "tenant") for row in rows] == [
        (None, None, 1, 1, "eur"),
        (None, None, 1, 900, "usd"),
        ("search", None, 1, 7, "usd"),
        ("chat", "acme", 1, 5, "usd"),
    ]


def test_days_are_in_their_order(busy: World) -> None:
    rows = report(busy, "day").rows
    assert [(row.currency, row.day) for row in rows] == [
        ("eur", "2026-11-03"), ("eur", "2026-11-04"), ("eur", "2026-11-15"),
        ("usd", "2026-11-01"), ("usd", "2026-11-14"), ("usd", "2026-11-15"),
    ]  # fmt: skip


ALL = [by for size in range(len(DIMENSIONS) + 1) for by in combinations(DIMENSIONS, size)]


def test_every_combination_comes_to_the_same_totals(busy: World) -> None:
    expected = report(busy, "").totals
    for by in ALL:
        assert usage_report(busy.database, NOVEMBER, by).totals == expected, by


def test_a_correction_counts_with_its_cost_and_is_no_request(any_world: World) -> None:
    used(any_world, "user:1", "a", 5)
    [usage] = any_world.rows(Usage)
    changed = {"idempotency_key": "c", "adjusts_id": usage.id, "cost": -CENT, "input_tokens": 0}
    with any_world.database.write() as session:
        session.add(Usage(**(usage.model_dump(exclude={"id"}) | changed)))
    [row] = report(any_world, "model").rows
    assert short(row, "model", "tokens") == ("a", 10, 1, 4, "usd")


def test_what_is_beyond_the_limit_is_one_row_of_each_currency(busy: World) -> None:
    rows = report(busy, "billable,model", limit=2).rows
    assert [(*short(row, "billable", "model"), row.others) for row in rows] == [
        ("team:7", "a", 2, 4, "eur", 0),
        ("user:1", "b", 1, 1, "eur", 0),
        ("user:1", "b", 1, 900, "usd", 0),
        ("user:1", "a", 2, 12, "usd", 0),
        (None, None, 2, 3, "usd", 2),
    ]
    assert report(busy, "billable,model", limit=2).totals == report(busy, "").totals
    days = report(busy, "day", limit=1).rows
    assert [row.day for row in days if row.currency == "usd"] == ["2026-11-14", None]


def pruned(world: World, day: str, cents: int = 1, ref: str = "user:9") -> None:
    """Daily sums of one usage, as pruning leaves them."""
    world.use(0, ref, cost="0", occurred_at="2020-01-01")
    [*_, billable] = world.rows(Billable)
    with world.database.write() as session:
        session.add(
            UsageDay(day=day, billable_id=billable.id, provider="p", model="old", requests=1,
                     cost=cents * CENT, currency="usd")
        )  # fmt: skip


BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("occurred", "day", "month"),
    [
        ("2026-10-24T21:59:59Z", "2026-10-24", "2026-10"),
        ("2026-10-24T22:00:00Z", "2026-10-25", "2026-10"),  # summer time ends that day
        ("2026-10-25T22:59:59Z", "2026-10-25", "2026-10"),
        ("2026-10-25T23:00:00Z", "2026-10-26", "2026-10"),
        ("2026-10-31T22:59:59.999999Z", "2026-10-31", "2026-10"),
        ("2026-10-31T23:00:00Z", "2026-11-01", "2026-11"),
    ],
)
def test_days_and_months_are_those_of_the_configured_zone(
    occurred: str, day: str, month: str, any_world: World
) -> None:
    used(any_world, "user:1", "a", 5, occurred_at=occurred)
    for each in ("2026-10", "2026-11"):
        rows = report(any_world, "day", span(BERLIN, now=NOW, month=each)).rows
        assert [row.day for row in rows] == ([day] if each == month else [])
    [row] = report(any_world, "day", span(BERLIN, now=NOW, until="2026-12-01")).rows
    assert row.day == day


@pytest.mark.parametrize("zone", ["UTC", BERLIN, "America/New_York"])
def test_a_pruned_day_counts_as_the_day_of_its_date_once(zone: str, any_world: World) -> None:
    for number, day in enumerate(("2026-09-30", "2026-10-01", "2026-10-31", "2026-11-01")):
        pruned(any_world, day, 10**number)
    cents = [
        [row.cost / CENT for row in report(any_world, "", span(zone, now=NOW, month=month)).rows]
        for month in ("2026-09", "2026-10", "2026-11")
    ]
    assert cents == [[1], [110], [1000]]


def test_pruned_usage_that_may_lie_a_little_elsewhere_is_told(any_world: World) -> None:
    october = span("UTC", now=NOW, month="2026-10")
    berlin = span(BERLIN, now=NOW, month="2026-10")
    used(any_world, "user:1", "a", 5, occurred_at="2026-10-10")
    assert not report(any_world, "day", berlin).is_inexact  # nothing of it was pruned
    pruned(any_world, "2026-10-10")
    assert not report(any_world, "day", october).is_inexact
    assert report(any_world, "model", berlin).is_inexact
    noon = span("UTC", now=NOW, since="2026-10-05T12:00:00Z")
    assert report(any_world, "model", noon).is_inexact
    whole_days = Span(october.since, october.until, BERLIN)
    assert not report(any_world, "model", whole_days).is_inexact
    assert report(any_world, "day", whole_days).is_inexact


def test_pruned_usage_is_summed_with_what_is_left(any_world: World) -> None:
    used(any_world, "user:9", "old", 5, provider="p")
    pruned(any_world, "2026-11-15")
    [row] = report(any_world, "day,billable,provider,model").rows
    assert short(row, "day", "billable", "model") == ("2026-11-15", "user:9", "old", 2, 6, "usd")


def test_an_unknown_billable_is_an_error(world: World) -> None:
    with pytest.raises(NotFound, match="there is no billable user:404"):
        report(world, "model", billable=BillableRef("user", "404"))


@pytest.mark.parametrize(
    ("by", "told"),
    [
        ("models", "--by: 'models' is none of day, billable, tenant, provider, model, feature"),
        ("day,model,day", "--by: day is given twice"),
    ],
)
def test_a_bad_dimension_says_which_there_are(by: str, told: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        dimensions(by)
    assert caught.value.message == told


def test_dimensions_may_have_spaces_and_be_none() -> None:
    assert dimensions(" model , day ") == ("model", "day")
    assert dimensions("") == ()


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "since", "until"),
    [
        ({}, "2026-10-31T23:00", "2026-11-30T23:00"),
        ({"month": "2026-10"}, "2026-09-30T22:00", "2026-10-31T23:00"),
        ({"since": "2026-11-01"}, "2026-10-31T23:00", "2026-11-15T12:00"),
        ({"since": "2026-11-01T00:00:00Z", "until": "2026-11-02"}, "2026-11-01T00:00",
         "2026-11-01T23:00"),
        ({"until": "2026-11-02T05:00:00+05:00"}, None, "2026-11-02T00:00"),
    ],
)  # fmt: skip
def test_a_span_is_of_the_zone(given: dict[str, str], since: str | None, until: str) -> None:
    found = span(BERLIN, now=NOW, **given)
    assert (found.since, found.until) == (moment(since) if since else None, moment(until))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"month": "2026-13"}, "--month: '2026-13' is no month such as 2026-10"),
        ({"month": "2026-10-01"}, "--month: '2026-10-01' is no month such as 2026-10"),
        ({"month": "october"}, "--month: 'october' is no month such as 2026-10"),
        ({"month": "2026-10", "since": "2026-10-01"},
         "--month: cannot be given together with --since or --until"),
        ({"since": "2026-12-01"},
         "--since: 2026-12-01T00:00:00Z is not before now, 2026-11-15T12:00:00Z"),
        ({"since": "2026-10-02", "until": "2026-10-02"},
         "--since: 2026-10-02T00:00:00Z is not before --until, 2026-10-02T00:00:00Z"),
        ({"until": "2026-10-02T10:00"},
         "--until: '2026-10-02T10:00' has no UTC offset: add Z or, say, +02:00"),
    ],
)  # fmt: skip
def test_a_bad_span_names_the_option(given: dict[str, str], told: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        span("UTC", now=NOW, **given)
    assert caught.value.message == told


def test_a_report_on_one_billable_reads_only_its_usages(world: World) -> None:
    used(world, "user:1", "a", 5)
    statements: list[tuple[str, Any]] = []
    from sqlalchemy import event

    @event.listens_for(world.database.engine, "before_cursor_execute")
    def remember(_c: Any, _u: Any, statement: str, parameters: Any, *_: Any) -> None:
        statements.append((statement, parameters))

    report(world, "day,model", billable=BillableRef("user", "1"))
    event.remove(world.database.engine, "before_cursor_execute", remember)
    statement, parameters = statements[-1]
    with world.database.read() as session:
        rows = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        plan = [str(row[3]) for row in rows]
    assert any("ix_usage_billable (billable_id=? AND occurred_at>?" in step for step in plan)
    assert any("ix_usage_day (billable_id=?" in step for step in plan)


def test_a_report_of_long_ago_needs_no_beginning(any_world: World) -> None:
    used(any_world, "user:1", "a", 5, occurred_at="1999-06-01T00:00:00Z")
    [row] = report(any_world, "day", span(BERLIN, now=NOW, until="2026-01-01")).rows
    assert row.day == "1999-06-01"
    assert NOVEMBER.until - (NOVEMBER.since or NOW) == timedelta(days=30)


def test_what_charged_nothing_stands_in_one_row_with_what_was_charged(any_world: World) -> None:
    for ref, price in (("user:1", "eur"), ("user:2", "usd"), ("user:3", "eur")):
        limit = 5 if ref == "user:1" else None
        plan = any_world.plan(f"of-{ref[5:]}", currency=price, token_limit=limit)
        any_world.subscriber(ref, plan=plan, customer=None)
        used(any_world, ref, "gpt", 1)
    [row] = report(any_world, "model").rows
    assert (row.requests, row.cost, row.currency, row.charge_currency) == (
        3, 3 * CENT, "usd", "eur",
    )  # fmt: skip
    assert row.charge > 0
    assert [(each.currency, each.requests) for each in report(any_world, "model").totals] == [
        ("eur", 0), ("usd", 3),
    ]  # fmt: skip
