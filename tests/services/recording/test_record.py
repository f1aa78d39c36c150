"""Recording: what is counted, what is charged, what a repeat does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from aimeter_cli.domain.pricing import NO_PRICES, price_book
from aimeter_cli.domain.usage import usage_line
from aimeter_cli.errors import Conflict, InvalidInput
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.domain_events import DomainEvent
from aimeter_cli.models.usages import Usage, UsageCounter
from aimeter_cli.services.recording.record import Recorder
from tests.support import processes, record_process
from tests.support.world import START, World

CUSTOMERLESS: dict[str, Any] = {"customer": None}


def counter(world: World) -> UsageCounter:
    [row] = world.rows(UsageCounter)
    assert isinstance(row, UsageCounter)
    return row


def test_only_the_excess_of_the_crossing_call_is_charged(any_world: World) -> None:
    """Pitfall 11."""
    any_world.subscriber(plan=any_world.plan(), **CUSTOMERLESS)
    first = any_world.use(900)
    crossing = any_world.use(10_000)
    assert (first.charge, first.beyond_limit, first.tokens_left) == (0, False, 100)
    assert (crossing.charge, crossing.beyond_limit, crossing.tokens_left) == (198_000_000, True, 0)
    [overage] = any_world.overages
    assert (overage.tokens, overage.amount, overage.currency) == (9_900, Decimal("0.198"), "usd")
    assert (overage.status, overage.period_start) == ("open", START)
    assert [usage.overage_id for usage in any_world.rows(Usage)] == [None, overage.id]
    row = counter(any_world)
    assert (row.tokens, row.requests) == (10_900, 2)


def test_an_open_overage_accumulates_and_equals_the_charge_of_the_period(world: World) -> None:
    world.subscriber(plan=world.plan(), **CUSTOMERLESS)
    for _ in range(5):
        world.use(3_333)
    [overage] = world.overages
    assert overage.amount == Decimal("0.3133")  # (5 × 3,333 − 1,000) × 0.02 / 1,000
    assert sum(usage.charge for usage in world.rows(Usage)) == overage.amount


def test_a_repeated_key_returns_the_first_row_and_changes_nothing(any_world: World) -> None:
    """Pitfalls 10 and 14."""
    any_world.subscriber(plan=any_world.plan(), **CUSTOMERLESS)
    first = any_world.use(5_000, idempotency_key="call-1")
    again = any_world.use(5_000, idempotency_key="call-1")
    assert (first.is_new, again.is_new) == (True, False)
    assert (again.charge, again.overage_id) == (first.charge, first.overage_id)
    assert (len(any_world.rows(Usage)), counter(any_world).tokens) == (1, 5_000)
    assert any_world.overages[0].amount == Decimal("0.08")


def test_a_repeated_key_with_other_content_is_an_error(world: World) -> None:
    world.use(5_000, idempotency_key="call-1")
    with pytest.raises(Conflict, match="'call-1' was used for another usage"):
        world.use(5_001, idempotency_key="call-1")
    assert len(world.rows(Usage)) == 1


def test_a_failing_batch_changes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pitfall 13: usage, counter and overage are one transaction."""
    from aimeter_cli.repositories import usages

    world.subscriber(plan=world.plan(), **CUSTOMERLESS)

    def broken(*_: object) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(usages, "update_counters", broken)
    with pytest.raises(RuntimeError):
        world.use(5_000)
    assert (world.rows(Usage), world.overages, world.rows(UsageCounter)) == ([], [], [])


@pytest.mark.parametrize(
    ("plan", "configured", "charged"),
    [
        ("block", "charge", False),
        ("allow", "charge", False),
        ("charge", "block", True),
        (None, "charge", True),
        (None, "block", False),
    ],
)
def test_only_the_behaviour_charge_charges_the_plans_before_the_configurations(
    world: World, plan: str | None, configured: str, charged: bool
) -> None:
    world.settings = replace(world.settings, overage_behavior=configured)  # type: ignore[arg-type]
    world.subscriber(plan=world.plan(overage_behavior=plan), **CUSTOMERLESS)
    recorded = world.use(2_000)
    assert (recorded.beyond_limit, bool(recorded.charge)) == (True, charged)
    assert counter(world).tokens == 2_000


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (2, 0, 1)])
def test_a_trial_has_its_own_behaviour_and_counter_in_whatever_order_its_usages_arrive(
    world: World, order: tuple[int, ...]
) -> None:
    world.subscriber(
        plan=world.plan(), trial_ends_at=datetime(2026, 11, 10, tzinfo=UTC), **CUSTOMERLESS
    )
    uses = [(5_000, "2026-11-05"), (500, "2026-11-11"), (5_000, "2026-11-12")]
    for n in order:
        tokens, day = uses[n]
        world.use(tokens, occurred_at=f"{day}T00:00:00Z")
    [overage] = world.overages
    assert (overage.tokens, overage.amount) == (4_500, Decimal("0.09"))
    counters = sorted((c.is_trial, c.tokens) for c in world.rows(UsageCounter))
    assert counters == [(False, 5_500), (True, 5_000)]


def test_without_a_subscription_usage_is_tracked_without_limit_or_charge(world: World) -> None:
    recorded = world.use(10**9, "user:nobody")
    assert (recorded.is_new, recorded.charge, recorded.beyond_limit) == (True, 0, False)
    assert (world.rows(UsageCounter), world.overages) == ([], [])


@pytest.mark.parametrize(
    "facts",
    [
        {"ends_at": datetime(2026, 11, 5, tzinfo=UTC)},
        {"grace_period_ends_at": datetime(2026, 11, 5, tzinfo=UTC)},
        {"expired_at": datetime(2026, 11, 5, tzinfo=UTC)},
    ],
)
def test_an_ended_or_expired_subscription_sets_no_limit_from_then_on(
    world: World, facts: dict[str, Any]
) -> None:
    world.subscriber(plan=world.plan(), **CUSTOMERLESS, **facts)
    assert world.use(2_000, occurred_at="2026-11-04T23:59:59Z").charge == 20_000_000
    assert world.use(2_000, occurred_at="2026-11-05T00:00:00Z").charge == 0


def test_a_usage_belongs_to_the_period_it_occurred_in_to_the_last_second(world: World) -> None:
    """Pitfall 18."""
    world.subscriber(plan=world.plan(), started_at=datetime(2026, 1, 1, tzinfo=UTC), **CUSTOMERLESS)
    world.use(2_000, occurred_at="2026-10-31T23:59:59.999999Z")
    world.use(2_000, occurred_at="2026-11-01T00:00:00Z")
    assert [(o.period_start.month, o.tokens) for o in world.overages] == [(10, 1000), (11, 1000)]


def test_late_usage_is_held_apart_from_what_is_open(world: World) -> None:
    world.subscriber(plan=world.plan(), started_at=datetime(2026, 1, 1, tzinfo=UTC), **CUSTOMERLESS)
    world.use(2_000, occurred_at="2026-09-30T00:00:00Z")
    world.use(2_000, occurred_at="2026-09-29T00:00:00Z")
    world.use(2_000, occurred_at="2026-10-31T00:00:00Z")  # 15 days ago: not late
    found = [(o.period_start.month, o.status, o.reason, o.tokens) for o in world.overages]
    assert found == [(9, "held", "late_usage", 3000), (10, "open", None, 1000)]


def test_usage_of_the_future_is_refused(cli: Any) -> None:
    done = cli(
        "usage", "record", "--billable", "user:1", "--provider", "openai", "--model", "m",
        "--occurred-at", "2026-11-15T12:06:00Z", "--as-of", "2026-11-15T12:00:00Z",
    )  # fmt: skip
    assert (done.code, done.out) == (2, "")
    assert "occurred_at: 2026-11-15T12:06:00Z lies in the future" in done.err


def test_cost_is_converted_into_the_plans_currency_at_the_rate_of_its_time(world: World) -> None:
    world.settings = replace(world.settings, currency_rates={"eur_usd": Decimal("1.1")})
    world.subscriber(
        plan=world.plan(token_limit=None, cost_limit=Decimal(1), overage_price_per_1k_tokens=None),
        **CUSTOMERLESS,
    )
    recorded = world.use(1, cost="2", currency="eur")
    assert recorded.charge == 1_200_000_000
    [usage] = world.rows(Usage)
    assert (usage.cost, usage.currency, usage.plan_cost) == (Decimal(2), "eur", Decimal("2.2"))
    assert usage.exchange == "eur/usd 1.1 (configuration)"


def test_a_cost_without_a_rate_is_never_taken_one_to_one(world: World) -> None:
    """Pitfalls 17 and 25."""
    world.subscriber(plan=world.plan(token_limit=None, cost_limit=Decimal(0)), **CUSTOMERLESS)
    recorded = world.use(1, cost="2", currency="eur")
    assert (recorded.state, recorded.charge) == ("needs_rate", 0)
    assert (counter(world).requests, counter(world).cost) == (1, Decimal(0))


def test_a_model_without_a_price_is_unpriced_and_never_costs_zero(world: World) -> None:
    """Pitfall 26."""
    book = price_book({"openai": {"known": {"input_per_1m": "2", "output_per_1m": "8"}}}, "usd")
    recorder = Recorder(world.database, world.settings, book)

    def record(**fields: Any) -> str:
        line = usage_line(
            {"billable": "user:1", "provider": "openai", "idempotency_key": repr(fields)} | fields,
            now=world.now,
        )
        return recorder.record_one(line, now=world.now).state

    assert record(model="known", input_tokens=1_000_000, reasoning_tokens=500_000) == "priced"
    assert record(model="known", cached_input_tokens=1) == "unpriced"  # that class has no price
    assert record(model="new", input_tokens=1) == "unpriced"
    assert [usage.cost for usage in world.rows(Usage)] == [Decimal(6), None, None]


def test_changing_the_plan_holds_from_the_next_period(world: World) -> None:
    plan = world.plan()
    world.subscriber(plan=plan, **CUSTOMERLESS)
    world.use(500)
    world.execute("UPDATE ai_plans SET token_limit = 5000 WHERE id = :p", p=plan)
    assert world.use(1_000).charge == 10_000_000
    world.now += timedelta(days=30)
    assert world.use(4_000).charge == 0


def test_coming_back_to_a_plan_finds_the_used_counter(world: World) -> None:
    pro, big = world.plan(), world.plan("big", token_limit=10**6)
    world.subscriber(plan=pro, **CUSTOMERLESS)
    world.use(900)
    for plan, charge in ((big, 0), (pro, 16_000_000)):
        world.execute("UPDATE ai_subscriptions SET plan_id = :p", p=plan)
        assert world.use(900).charge == charge


def test_credits_are_not_limited_by_the_plan_and_are_marked_unpaid(world: World) -> None:
    world.subscriber(plan=world.plan(), billing_mode="credits", **CUSTOMERLESS)
    recorded = world.use(10**6, cost="3")
    assert (recorded.state, recorded.charge, world.overages) == ("unpaid", 0, [])


def test_reaching_the_limit_is_told_once_per_period(world: World) -> None:
    world.subscriber(plan=world.plan(), **CUSTOMERLESS)
    for _ in range(4):
        world.use(500)
    assert [event.name for event in world.rows(DomainEvent)] == ["LimitReached"]


def test_amounts_beyond_the_databases_range_are_refused(world: World) -> None:
    world.subscriber(plan=world.plan(), **CUSTOMERLESS)
    world.use(1, cost="9000000000")
    with pytest.raises(InvalidInput, match="beyond the largest amount"):
        world.use(1, cost="9000000000")
    assert len(world.rows(Usage)) == 1


USES = st.lists(
    st.tuples(st.integers(0, 3000), st.integers(0, 10**9), st.integers(1, 28)), max_size=12
)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(uses=USES, size=st.integers(1, 5))
def test_batches_of_any_size_and_order_charge_what_single_records_charge(
    world: World, uses: list[tuple[int, int, int]], size: int
) -> None:
    with world.database.write() as session:
        for table in ("ai_usages", "ai_overages", "ai_usage_counters", "ai_subscriptions",
                      "ai_domain_events", "ai_billables", "ai_plans"):  # fmt: skip
            session.connection().execute(text(f"DELETE FROM {table}"))
    plan = world.plan(cost_limit=Decimal(1))
    for ref in ("user:1", "user:2"):
        world.subscriber(ref, plan=plan, **CUSTOMERLESS)
    world.now = datetime(2026, 11, 30, tzinfo=UTC)
    recorder = Recorder(world.database, world.settings, NO_PRICES)

    def line(ref: str, n: int, use: tuple[int, int, int]) -> Any:
        tokens, nanos, day = use
        return usage_line({
            "billable": ref, "provider": "p", "model": "m", "input_tokens": tokens,
            "cost": Decimal(nanos).scaleb(-9), "idempotency_key": f"{ref}{n}",
            "occurred_at": f"2026-11-{day:02d}T00:00:00Z",
        })  # fmt: skip

    for n, use in enumerate(uses):
        recorder.record_one(line("user:1", n, use), now=world.now)
    batch = [line("user:2", n, use) for n, use in enumerate(reversed(uses))]
    for first in range(0, len(batch), size):
        recorder.record(batch[first : first + size], now=world.now)
    single, batched = (
        sum((o.amount for o in world.overages if o.billable_id == b.id), Decimal(0))
        for b in sorted(world.rows(Billable), key=lambda b: b.external_id)
    )
    assert single == batched


def test_eight_processes_around_the_limit_charge_the_excess_exactly(any_world: World) -> None:
    any_world.subscriber(plan=any_world.plan(), **CUSTOMERLESS)
    url = any_world.database.url.render_as_string(hide_password=False)
    for process in processes.start(record_process.main, [(url, str(n)) for n in range(8)]):
        process.result()
    row = counter(any_world)
    assert (row.tokens, row.requests) == (8 * 40 * 100, 8 * 40)
    [overage] = any_world.overages
    assert (overage.tokens, overage.amount) == (31_000, Decimal("0.62"))


def test_the_account_of_a_usage_does_not_depend_on_its_batch(world: World) -> None:
    """Two subscriptions that overlap: the later started one wins, line by line and in one batch."""
    from aimeter_cli.models.subscriptions import Subscription

    small, big = world.plan(), world.plan("big", token_limit=10**6)
    billable = world.subscriber(
        plan=small, ends_at=datetime(2026, 11, 10, tzinfo=UTC), is_live=False, **CUSTOMERLESS
    )
    started = datetime(2026, 11, 5, tzinfo=UTC)
    with world.database.write() as session:
        session.add(
            Subscription(
                billable_id=billable, plan_id=big, started_at=started, period_anchor=started,
                created_at=START, updated_at=START, meta={},
            )
        )  # fmt: skip
    lines = [
        usage_line({
            "billable": "user:42", "provider": "p", "model": "m", "input_tokens": 100_000,
            "cost": "0", "idempotency_key": f"k{day}", "occurred_at": f"2026-11-{day:02d}",
        })
        for day in (3, 7, 8)
    ]  # fmt: skip
    recorded = Recorder(world.database, world.settings, NO_PRICES).record(lines, now=world.now)
    assert [bool(each.charge) for each in recorded] == [True, False, False]


def test_one_absurd_line_is_refused_and_the_others_are_kept(world: World) -> None:
    world.subscriber(plan=world.plan(overage_price_per_1k_tokens=Decimal(20)), **CUSTOMERLESS)
    lines = [
        usage_line({
            "billable": "user:42", "provider": "p", "model": "m", "input_tokens": tokens,
            "cost": "0", "idempotency_key": f"k{tokens}", "occurred_at": "2026-11-03",
        })
        for tokens in (2_000, 10**12, 1_000)
    ]  # fmt: skip
    recorded = Recorder(world.database, world.settings, NO_PRICES).record(lines, now=world.now)
    assert [each.is_new for each in recorded] == [True, False, True]
    assert "beyond the largest amount" in str(recorded[1].refusal)
    assert (world.overages[0].tokens, counter(world).tokens) == (2_000, 3_000)


def test_a_batch_charges_every_billable_of_its_own_and_links_its_usages(any_world: World) -> None:
    plan = any_world.plan()
    refs = ["user:1", "user:2", "user:3"]
    for ref in refs:
        any_world.subscriber(ref, plan=plan, **CUSTOMERLESS)
    lines = [
        usage_line({
            "billable": ref, "provider": "p", "model": "m", "input_tokens": 1000 * (n + 2),
            "cost": "0", "idempotency_key": f"{ref}-{day}",
            "occurred_at": f"2026-11-{day:02d}T00:00:00Z",
        })
        for day in (3, 4)
        for n, ref in enumerate(refs)
    ]  # fmt: skip
    Recorder(any_world.database, any_world.settings, NO_PRICES).record(lines, now=any_world.now)
    charged = {o.billable_id: (o.tokens, o.amount, o.id) for o in any_world.overages}
    assert {key: value[:2] for key, value in charged.items()} == {
        1: (3_000, Decimal("0.06")),
        2: (5_000, Decimal("0.10")),
        3: (7_000, Decimal("0.14")),
    }
    usages = any_world.rows(Usage)
    assert all(usage.overage_id == charged[usage.billable_id][2] for usage in usages)
    for billable, (_, amount, _) in charged.items():
        assert sum(u.charge for u in usages if u.billable_id == billable) == amount


def test_who_waited_for_a_counter_finds_what_its_holder_recorded(
    pg_database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a second try: the keys are read again once the counter is ours."""
    import threading
    import time
    from typing import cast

    from aimeter_cli.sandbox.client import SandboxControl
    from aimeter_cli.services.recording import record
    from aimeter_cli.services.recording.batch import Batch
    from tests.support.world import sandbox_settings

    monkeypatch.setattr(record, "_RACES", 1)
    world = World(pg_database, cast(SandboxControl, None), sandbox_settings("http://127.0.0.1:9"))
    world.subscriber(plan=world.plan(), **CUSTOMERLESS)
    world.use(1)  # the counter is there
    line = usage_line({
        "billable": "user:42", "provider": "p", "model": "m", "input_tokens": 5_000, "cost": "0",
        "idempotency_key": "shared", "occurred_at": "2026-11-10T00:00:00Z",
    })  # fmt: skip
    found: list[bool] = []

    def second() -> None:
        recorder = Recorder(pg_database, world.settings, NO_PRICES)
        found.append(recorder.record_one(line, now=world.now).is_new)

    thread = threading.Thread(target=second)
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    with pg_database.write() as session:
        Batch(session, world.settings, NO_PRICES, world.now).record([line])
        thread.start()
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with pg_database.read() as other:
                if other.connection().execute(waiting).scalar_one():
                    break
    thread.join(20)
    assert found == [False]
    assert counter(world).tokens == 5_001
