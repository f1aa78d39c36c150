"""Usages under limit overrides: charged by the limits of now, and never charged twice."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import event

from aimeter_cli.domain.references import BillableRef
from aimeter_cli.models.domain_events import DomainEvent
from aimeter_cli.models.usages import Usage, UsageCounter
from aimeter_cli.services.audit.run import run_audit
from aimeter_cli.services.overages.explain import explain
from aimeter_cli.services.overrides import NewOverride, remove_override, set_override
from tests.support import record_process
from tests.support.processes import Running, start
from tests.support.world import NO_PRICES, START, World

USER = BillableRef("user", "42")
CUSTOMERLESS: dict[str, Any] = {"customer": None}


def override(world: World, **fields: Any) -> int:
    new = NewOverride(**({"billable": USER} | fields))
    return set_override(world.database, world.settings, new, now=world.now).override.id


def charges(world: World) -> list[Decimal]:
    return [usage.charge for usage in world.rows(Usage)]


def counter(world: World) -> UsageCounter:
    [row] = world.rows(UsageCounter)
    assert isinstance(row, UsageCounter)
    return row


def adds_up(world: World) -> bool:
    return run_audit(world.database).adds_up


@pytest.mark.parametrize("price", [Decimal("0.02"), None])
def test_a_raised_limit_charges_from_now_on_and_takes_nothing_back(
    any_world: World, price: Decimal | None
) -> None:
    """At 0.02 per 1,000 tokens, by the plan's price or by what the usages cost."""
    plan = any_world.plan(overage_price_per_1k_tokens=price)
    any_world.subscriber(plan=plan, **CUSTOMERLESS)

    def use(tokens: int) -> None:
        any_world.use(tokens, cost=Decimal(tokens) * Decimal("0.00002"))

    use(2000)
    number = override(any_world, tokens=5000)
    use(2000)
    use(2000)  # 1,000 of them beyond 5,000
    remove_override(any_world.database, any_world.settings, number, now=any_world.now)
    use(500)
    assert charges(any_world) == [Decimal("0.02"), Decimal(0), Decimal("0.02"), Decimal("0.01")]
    [overage] = any_world.overages
    assert (overage.tokens, overage.amount) == (2500, Decimal("0.05"))
    row = counter(any_world)
    assert (row.tokens, row.is_adjusted, row.token_limit) == (6500, True, 1000)
    assert adds_up(any_world)


def test_an_explanation_says_that_the_terms_alone_do_not_make_up_the_sum(world: World) -> None:
    world.subscriber(plan=world.plan(), **CUSTOMERLESS)
    world.use(2000)
    assert "limit override" not in explain(world.database, 1).in_words
    override(world, tokens=5000)
    world.use(4000)
    assert "counted under a limit override" in explain(world.database, 1).in_words


def test_a_lowered_limit_charges_only_what_comes_after(world: World) -> None:
    world.subscriber(plan=world.plan(), **CUSTOMERLESS)
    world.use(900)
    override(world, tokens=100)
    world.use(50)
    assert charges(world) == [0, Decimal("0.001")]
    assert adds_up(world)


def test_lifted_limits_charge_nothing(world: World) -> None:
    world.subscriber(plan=world.plan(cost_limit=Decimal(1), request_limit=1), **CUSTOMERLESS)
    override(world, tokens="unlimited", cost="unlimited", requests="unlimited")
    for _ in range(3):
        recorded = world.use(10**9, cost="50")
        assert (recorded.charge, recorded.beyond_limit, recorded.tokens_left) == (0, False, None)
    assert (world.overages, adds_up(world)) == ([], True)


def test_what_occurred_outside_of_it_is_charged_by_the_plan_also_within_one_batch(
    world: World,
) -> None:
    world.subscriber(plan=world.plan(token_limit=0), **CUSTOMERLESS)
    start, end = (datetime(2026, 11, day, tzinfo=UTC) for day in (5, 10))
    override(world, tokens="unlimited", starts_at=start, ends_at=end)
    from aimeter_cli.domain.usage import usage_line
    from aimeter_cli.services.recording.record import Recorder

    lines = [
        usage_line({
            "billable": "user:42", "provider": "p", "model": "m", "input_tokens": 1000,
            "cost": "0", "idempotency_key": stamp, "occurred_at": stamp,
        })
        for stamp in (
            "2026-11-04T23:59:59.999999Z", "2026-11-05T00:00:00Z", "2026-11-09T23:59:59Z",
            "2026-11-10T00:00:00Z", "2026-11-07T00:00:00Z", "2026-11-12T00:00:00Z",
        )
    ]  # fmt: skip
    recorded = Recorder(world.database, world.settings, NO_PRICES).record(lines, now=world.now)
    assert [bool(each.charge) for each in recorded] == [True, False, False, True, False, True]
    assert world.overages[0].amount == Decimal("0.06")
    assert adds_up(world)


def test_an_override_that_changes_no_limit_leaves_the_counter_replayable(world: World) -> None:
    world.subscriber(plan=world.plan(), **CUSTOMERLESS)
    override(world, tokens=1000)
    world.use(1500)
    assert (charges(world), counter(world).is_adjusted) == ([Decimal("0.01")], False)


def test_recording_asks_for_overrides_only_where_there_are_some(world: World) -> None:
    world.subscriber(plan=world.plan(), **CUSTOMERLESS)
    world.use(1)
    asked: list[str] = []
    event.listen(
        world.database.engine, "before_cursor_execute",
        lambda _c, _cur, statement, *_: asked.append(statement),
    )  # fmt: skip
    world.use(1)
    without = len(asked)
    ended = datetime(2026, 11, 2, tzinfo=UTC)
    override(world, tokens=5, starts_at=START, ends_at=ended)
    asked.clear()
    world.use(1)
    assert len(asked) == without
    override(world, tokens=1000, starts_at=ended)
    asked.clear()
    world.use(1)
    assert len(asked) == without + 1


def test_events_of_limits_come_once_per_period_with_their_figures(any_world: World) -> None:
    any_world.subscriber(plan=any_world.plan(cost_limit=Decimal(1)), **CUSTOMERLESS)
    for tokens, cost in ((100, "0.7"), (100, "0.1"), (100, "0.05"), (900, "0"), (1, "1")):
        any_world.use(tokens, cost=cost)
    import json

    told = [(row.name, json.loads(row.payload)) for row in any_world.rows(DomainEvent)]
    common = {
        "plan": "pro", "plan_id": 1, "counter_id": 1,
        "period_start": "2026-11-01T00:00:00Z", "period_end": "2026-12-01T00:00:00Z",
    }  # fmt: skip
    assert told == [
        (
            "LimitApproaching",
            common | {"kind": "cost", "used": "0.800000000", "limit": "1.000000000",
                      "percent": 80, "currency": "usd"},
        ),
        (
            "LimitReached",
            common | {"kind": "tokens", "used": 1200, "limit": 1000, "percent": 120,
                      "currency": None},
        ),
    ]  # fmt: skip
    any_world.now = datetime(2026, 12, 2, tzinfo=UTC)
    any_world.use(1000)
    assert [row.name for row in any_world.rows(DomainEvent)][2:] == ["LimitReached"]


@pytest.mark.parametrize(("percent", "names"), [(50, ["LimitApproaching"]), (51, []), (100, [])])
def test_the_configuration_says_from_where_on_a_limit_is_approaching(
    world: World, percent: int, names: list[str]
) -> None:
    from dataclasses import replace

    world.settings = replace(world.settings, limit_approaching_percent=percent)
    world.subscriber(plan=world.plan(), **CUSTOMERLESS)
    world.use(500)
    assert [row.name for row in world.rows(DomainEvent)] == names


def test_an_override_is_the_limit_that_is_approached_and_reached(world: World) -> None:
    world.subscriber(plan=world.plan(), **CUSTOMERLESS)
    override(world, tokens=10_000)
    world.use(5000)
    assert world.rows(DomainEvent) == []
    world.use(4000)
    world.use(1000)
    assert [row.name for row in world.rows(DomainEvent)] == ["LimitApproaching", "LimitReached"]


def recording(world: World) -> list[Running]:
    """Eight processes."""
    url = world.database.url.render_as_string(hide_password=False)
    return start(record_process.main, [(url, str(n)) for n in range(8)])


def test_eight_processes_around_an_overridden_limit_charge_its_excess_and_tell_it_once(
    any_world: World,
) -> None:
    any_world.subscriber(plan=any_world.plan(), **CUSTOMERLESS)
    override(any_world, tokens=20_000)
    for process in recording(any_world):
        process.result()
    row = counter(any_world)
    assert (row.tokens, row.requests, row.is_adjusted) == (32_000, 320, True)
    [overage] = any_world.overages
    assert (overage.tokens, overage.amount) == (12_000, Decimal("0.24"))
    names = [event.name for event in any_world.rows(DomainEvent)]
    assert names == ["LimitApproaching", "LimitReached"]
    assert adds_up(any_world)


def test_an_override_set_and_removed_amid_eight_processes_charges_nothing_twice(
    any_world: World,
) -> None:
    """What is charged depends on who came first; every usage is charged once, whole or not."""
    any_world.subscriber(plan=any_world.plan(token_limit=0), **CUSTOMERLESS)
    running = recording(any_world)
    while any(process.is_alive for process in running):
        number = override(any_world, tokens="unlimited", starts_at=START)
        remove_override(any_world.database, any_world.settings, number, now=START)
    for process in running:
        process.result()
    assert counter(any_world).tokens == 32_000
    assert set(charges(any_world)) <= {Decimal(0), Decimal("0.002")}
    assert adds_up(any_world)
