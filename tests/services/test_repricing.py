"""Repricing: as if the cost had been known at once, exactly once, by adjustments only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import RowMapping, text
from sqlmodel import Session

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.pricing import NO_PRICES, PriceBook, price_book
from aimeter_cli.domain.rates import Rate
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.domain.usage import Caller, usage_line
from aimeter_cli.errors import InvalidInput, NotFound
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.usages import Usage, UsageCounter
from aimeter_cli.repositories import reprice as repo
from aimeter_cli.sandbox.client import SandboxControl
from aimeter_cli.services.audit.run import run_audit
from aimeter_cli.services.credits.changes import add
from aimeter_cli.services.credits.paying import pay_unpaid
from aimeter_cli.services.overages.by_hand import waive
from aimeter_cli.services.prune import horizon, plan_prune, prune
from aimeter_cli.services.rates import set_rates
from aimeter_cli.services.recording.record import Recorder
from aimeter_cli.services.repricing import run
from aimeter_cli.services.repricing.outcome import Repricing
from aimeter_cli.services.repricing.run import RepriceFilter, reprice_usages
from aimeter_cli.signals import StopFlag
from tests.support import record_process, reprice_process
from tests.support.processes import start
from tests.support.reprice_process import PRICES
from tests.support.world import World, sandbox_settings

BOOK = price_book(PRICES, "usd")


def make_world(database: Database) -> World:
    return World(database, cast(SandboxControl, None), sandbox_settings("http://127.0.0.1:9"))


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    made = make_world(database)
    yield made
    made.close()


@pytest.fixture
def any_world(any_database: Database) -> Iterator[World]:
    made = make_world(any_database)
    yield made
    made.close()


def subscriber(world: World, ref: str = "user:42", **plan: Any) -> None:
    """1,000 tokens, then what the tokens cost."""
    terms = {"overage_price_per_1k_tokens": None, **plan}
    world.subscriber(ref, plan=world.plan(ref.replace(":", "-"), **terms), customer=None)


def use(world: World, tokens: int, ref: str = "user:42", **fields: Any) -> None:
    world.use(tokens, ref, cost=None, **fields)


def reprice(world: World, book: PriceBook = BOOK, **options: Any) -> Repricing:
    return reprice_usages(world.database, world.settings, book, now=world.now, **options)


def usages(world: World) -> list[Usage]:
    return world.rows(Usage)


def charged(world: World) -> Decimal:
    return sum((overage.amount for overage in world.overages), Decimal(0))


def snapshot(world: World) -> list[Any]:
    tables = ("ai_usages", "ai_usage_counters", "ai_overages", "ai_prices", "ai_domain_events")
    with world.database.read() as session:
        return [
            session.connection().execute(text(f"SELECT * FROM {table} ORDER BY id")).all()
            for table in tables
        ]


def adds_up(world: World) -> None:
    assert run_audit(world.database).differences == []


def test_the_cost_comes_by_an_adjustment_and_no_amount_changes(any_world: World) -> None:
    subscriber(any_world)
    for tokens in (600, 600):
        use(any_world, tokens, feature="chat")
    done = reprice(any_world)
    assert (done.selected, done.priced, done.waiting) == (2, 2, 0)
    first, second, *adjustments = usages(any_world)
    assert [(u.state, u.cost, u.plan_cost, u.charge) for u in (first, second)] == [
        ("priced", None, None, Decimal(0))
    ] * 2
    assert [
        (u.adjusts_id, u.idempotency_key, u.state, u.cost, u.plan_cost, u.charge, u.input_tokens)
        for u in adjustments
    ] == [
        (first.id, f"reprice:{first.id}", "priced", Decimal("0.6"), Decimal("0.6"), 0, 0),
        (second.id, f"reprice:{second.id}", "priced", Decimal("0.6"), Decimal("0.6"),
         Decimal("0.2"), 0),
    ]  # fmt: skip
    for old, new in zip((first, second), adjustments, strict=True):
        for name in ("billable_id", "subscription_id", "counter_id", "occurred_at", "feature"):
            assert getattr(new, name) == getattr(old, name)
    [overage] = any_world.overages
    assert (overage.amount, overage.tokens, overage.status) == (Decimal("0.2"), 200, "open")
    assert {u.overage_id for u in adjustments} == {None, overage.id}
    [counter] = any_world.rows(UsageCounter)
    assert (counter.tokens, counter.requests, counter.cost) == (1200, 2, Decimal("1.2"))
    assert (counter.excess_token_cost, counter.is_adjusted) == (Decimal("0.2"), True)
    adds_up(any_world)


USES = st.lists(st.tuples(st.integers(0, 900), st.booleans()), min_size=1, max_size=9)
LIMITS = st.fixed_dictionaries({
    "token_limit": st.sampled_from([None, 0, 1000]),
    "cost_limit": st.sampled_from([None, Decimal("0.5")]),
    "request_limit": st.sampled_from([None, 2]),
    "overage_price_per_1k_tokens": st.sampled_from([None, Decimal("0.7")]),
})  # fmt: skip


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(uses=USES, limits=LIMITS, size=st.integers(1, 4))
def test_in_the_end_a_period_is_charged_as_if_every_price_had_been_known(
    world: World, uses: list[tuple[int, bool]], limits: dict[str, Any], size: int
) -> None:
    with world.database.write() as session:
        session.connection().execute(text("UPDATE ai_usages SET adjusts_id = NULL"))
        for table in ("ai_usages", "ai_overages", "ai_usage_counters", "ai_subscriptions",
                      "ai_domain_events", "ai_billables", "ai_plans", "ai_prices"):  # fmt: skip
            session.connection().execute(text(f"DELETE FROM {table}"))
    for ref in ("user:1", "user:2"):
        subscriber(world, ref, **limits)
    for tokens, is_known in uses:
        for ref, known in (("user:1", True), ("user:2", is_known)):
            line = usage_line(
                {"billable": ref, "provider": "openai", "model": "gpt-4o-mini",
                 "input_tokens": tokens, "idempotency_key": f"{ref}{len(usages(world))}"},
                now=world.now,
            )  # fmt: skip
            book = BOOK if known else NO_PRICES
            Recorder(world.database, world.settings, book).record_one(line, now=world.now)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "_BATCH", size)
        reprice(world)
    first, second = (
        [
            (c.tokens, c.requests, c.cost, c.excess_token_cost, c.excess_request_cost)
            for c in world.rows(UsageCounter)
            if c.billable_id == billable.id
        ]
        for billable in sorted(world.rows(Billable), key=lambda each: each.external_id)
    )
    assert first == second
    amounts = {o.billable_id: o.amount for o in world.overages}
    assert len(set(amounts.values())) <= 1
    assert len(amounts) in (0, 2)
    adds_up(world)


def test_a_second_run_finds_nothing_to_do(any_world: World) -> None:
    subscriber(any_world)
    use(any_world, 2000)
    reprice(any_world)
    before = snapshot(any_world)
    assert reprice(any_world).selected == 0
    assert snapshot(any_world) == before


def test_four_processes_price_and_charge_every_usage_once(any_world: World) -> None:
    """Beside four that record for the same billable meanwhile."""
    subscriber(any_world)
    for _ in range(60):
        use(any_world, 100)
    url = any_world.database.url.render_as_string(hide_password=False)

    repricing = start(reprice_process.main, [(url,)] * 4)
    recording = start(record_process.main, [(url, str(n)) for n in range(4)])
    assert sum(process.result() for process in repricing) == 60
    for process in recording:
        process.result()
    assert sum(usage.adjusts_id is not None for usage in usages(any_world)) == 60
    [counter] = any_world.rows(UsageCounter)
    assert (counter.requests, counter.cost) == (len(usages(any_world)) - 60, Decimal(6))
    assert charged(any_world) == counter.excess_token_cost == Decimal(5)
    adds_up(any_world)


def test_a_dry_run_tells_the_same_and_changes_nothing(any_world: World) -> None:
    subscriber(any_world)
    for tokens in (600, 600, 600):
        use(any_world, tokens)
    before = snapshot(any_world)
    told = reprice(any_world, dry_run=True)
    assert snapshot(any_world) == before
    assert replace(told, dry_run=False) == reprice(any_world)
    assert told.groups[0].charge == Decimal("0.8")


def test_what_still_has_no_price_waits_and_starves_no_limit(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "_BATCH", 2)
    subscriber(world)
    for _ in range(5):
        use(world, 1, model="unheard-of")
    for _ in range(3):
        use(world, 10)
    done = reprice(world, limit=2)
    assert (done.priced, done.waiting) == (2, 5)
    assert [u.state for u in usages(world)[:8]] == ["unpriced"] * 5 + ["priced"] * 2 + ["unpriced"]


def test_an_adjustment_is_no_request_that_uses_up_a_limit(world: World) -> None:
    subscriber(world, token_limit=None, request_limit=2)
    for expected in (0, 0, Decimal("0.01")):
        use(world, 10)
        reprice(world)
        assert charged(world) == expected


def test_what_another_one_priced_meanwhile_is_left_out(
    pg_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a second try: what still waits is read again once it is locked."""
    world = make_world(pg_database)
    subscriber(world)
    use(world, 2000)
    monkeypatch.setattr(run, "_RACES", 1)
    real, seen = repo.waiting, 0

    def waiting(session: Session, ids: Sequence[int]) -> Sequence[RowMapping]:
        nonlocal seen
        rows, seen = real(session, ids), seen + 1
        if seen == 2:  # in the transaction of the first
            assert reprice(world).priced == 1
        return rows

    monkeypatch.setattr(repo, "waiting", waiting)
    assert reprice(world).selected == 0
    assert (len(usages(world)), charged(world)) == (2, Decimal(1))
    world.close()


def test_only_what_was_asked_for_is_priced(world: World) -> None:
    subscriber(world)
    use(world, 10)
    use(world, 10, "user:7")
    use(world, 10, provider="azure")
    book = price_book(dict.fromkeys(("openai", "azure"), PRICES["openai"]), "usd")
    for wanted, keys in (
        (RepriceFilter(billable=BillableRef("user", "7")), ["reprice:2"]),
        (RepriceFilter(provider="azure", model="other"), []),
        (RepriceFilter(provider="azure", model="gpt-4o-mini"), ["reprice:3"]),
    ):
        before = len(usages(world))
        reprice(world, book, wanted=wanted)
        assert [u.idempotency_key for u in usages(world)[before:]] == keys
    with pytest.raises(NotFound):
        reprice(world, wanted=RepriceFilter(billable=BillableRef("user", "8")))


def test_a_class_without_a_price_keeps_its_usage_waiting(world: World) -> None:
    use(world, 10, cached_input_tokens=1)
    assert (reprice(world).priced, usages(world)[0].state) == (0, "unpriced")


def test_the_price_is_that_of_the_time_of_the_usage_and_is_kept(world: World) -> None:
    dated = [{"input_per_1m": "1"}, {"input_per_1m": "1000", "from": "2026-11-10"}]
    use(world, 10**6, occurred_at="2026-11-09T23:59:59Z")
    use(world, 10**6, occurred_at="2026-11-10T00:00:00Z")
    reprice(world, price_book({"openai": {"gpt-4o-mini": dated}}, "usd"))
    adjustments = usages(world)[2:]
    assert [u.cost for u in adjustments] == [Decimal(1), Decimal(1000)]
    assert len({u.price_id for u in adjustments}) == 2
    assert None not in {u.price_id for u in adjustments}


def test_a_cost_that_had_no_rate_is_counted_once_the_rate_is_there(any_world: World) -> None:
    subscriber(any_world, token_limit=None, cost_limit=Decimal(1))
    any_world.use(5, cost="2", currency="eur")
    assert [g.state for g in reprice(any_world).groups] == ["needs_rate"]
    any_world.settings = replace(any_world.settings, currency_rates={"eur_usd": Decimal("1.5")})
    assert reprice(any_world).priced == 1
    told, adjustment = usages(any_world)
    assert (told.state, told.cost, told.plan_cost) == ("priced", Decimal(2), None)
    assert (adjustment.cost, adjustment.plan_cost) == (Decimal(0), Decimal(3))
    assert adjustment.exchange == "eur/usd 1.5 (configuration)"
    assert charged(any_world) == Decimal(2)
    adds_up(any_world)


def test_a_price_in_a_currency_without_a_rate_keeps_its_usage_waiting(world: World) -> None:
    subscriber(world)
    use(world, 10)
    before = snapshot(world)
    done = reprice(world, price_book(PRICES, "eur"))
    assert [(g.state, g.source) for g in done.groups] == [("needs_rate", "no rate from eur to usd")]
    assert snapshot(world) == before


def test_a_usage_whose_rate_is_too_old_says_which(world: World) -> None:
    subscriber(world)
    use(world, 10)
    old = world.now - timedelta(days=30)
    set_rates(world.database, [Rate("eur", "usd", Decimal("1.1"), old, "ECB")], now=old)
    done = reprice(world, price_book(PRICES, "eur"))
    assert [g.source for g in done.groups] == [
        f"the rate from eur to usd of {old:%Y-%m-%d} is older than rate_max_age"
    ]


def test_what_is_charged_late_is_held(world: World) -> None:
    subscriber(world)
    use(world, 2000)
    world.now += timedelta(days=80)
    reprice(world)
    assert [(o.status, o.reason, o.amount) for o in world.overages] == [
        ("held", "late_usage", Decimal(1))
    ]


def test_a_frozen_overage_is_left_alone(world: World) -> None:
    subscriber(world, token_limit=0, cost_limit=Decimal(0))
    world.use(1000, cost="1")
    use(world, 2000)
    world.execute("UPDATE ai_overages SET status = 'frozen'")
    reprice(world)
    assert [(o.status, o.amount) for o in world.overages] == [
        ("frozen", Decimal(1)),
        ("open", Decimal(2)),
    ]
    adds_up(world)


def test_usage_without_a_subscription_gets_its_cost_and_no_charge(world: World) -> None:
    use(world, 1000)
    done = reprice(world)
    assert (done.groups[0].cost, done.groups[0].charge, world.overages) == (Decimal(1), None, [])
    assert usages(world)[1].cost == Decimal(1)


def test_a_wallet_pays_for_what_was_priced_later(any_world: World) -> None:
    plan = any_world.plan()
    any_world.subscriber(plan=plan, billing_mode="credits", customer=None)
    use(any_world, 3000)
    reprice(any_world)
    assert [u.state for u in usages(any_world)] == ["priced", "unpaid"]
    assert usages(any_world)[1].billing_mode == "credits"
    add(any_world.database, any_world.settings, BillableRef("user", "42"), Decimal(5),
        now=any_world.now)  # fmt: skip
    assert [u.state for u in usages(any_world)] == ["priced", "priced"]
    use(any_world, 2000)
    reprice(any_world)
    assert usages(any_world)[-1].state == "priced"
    with any_world.database.write() as session:
        assert pay_unpaid(session, any_world.settings, [1], any_world.now) == set()
        balance = session.connection().execute(text("SELECT balance FROM ai_credit_wallets"))
        assert balance.scalar_one() == 0
    adds_up(any_world)


def test_the_caller_stays_known(world: World) -> None:
    line = usage_line(
        {"billable": "user:1", "provider": "openai", "model": "gpt-4o-mini", "input_tokens": 1,
         "idempotency_key": "k"},
        now=world.now, caller=Caller(user="user:9", tenant="acme"),
    )  # fmt: skip
    Recorder(world.database, world.settings, NO_PRICES).record_one(line, now=world.now)
    reprice(world)
    assert [(u.user_ref, u.tenant) for u in usages(world)] == [("user:9", "acme")] * 2


def test_nobody_takes_the_key_of_a_correction(world: World) -> None:
    with pytest.raises(InvalidInput, match="begins the keys of corrections"):
        world.use(1, idempotency_key="reprice:2")


def test_what_cannot_be_priced_at_all_is_told_and_stops_no_other(world: World) -> None:
    world.use(1, idempotency_key="k")
    use(world, 10**12)
    use(world, 20)
    done = reprice(world, price_book({"openai": {"gpt-4o-mini": {"input_per_1m": "9999"}}}, "usd"))
    assert [g.state for g in done.groups] == ["priced", "refused"]
    assert "beyond the largest amount" in str(done.groups[1].source)
    assert [u.state for u in usages(world) if u.adjusts_id is None] == [
        "priced", "unpriced", "priced",
    ]  # fmt: skip


def test_a_signal_ends_it_between_two_transactions(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "_BATCH", 1)
    for _ in range(3):
        use(world, 1)
    stop = StopFlag()
    done = reprice(world, stop=stop, advance=lambda _done, _total: stop.stop(15))
    assert (done.priced, len(usages(world))) == (1, 4)


def test_an_override_that_held_then_holds_for_the_cost_too(world: World) -> None:
    subscriber(world, token_limit=0)
    world.execute(
        "INSERT INTO ai_usage_limit_overrides (billable_id, starts_at, ends_at, lifts_tokens,"
        " lifts_cost, lifts_requests, created_at)"
        " VALUES (1, '2026-11-01', '2026-11-10', true, false, false, '2026-11-01')"
    )
    use(world, 1000, occurred_at="2026-11-05T00:00:00Z")
    use(world, 1000, occurred_at="2026-11-11T00:00:00Z")
    reprice(world)
    assert charged(world) == Decimal(1)
    adds_up(world)


def test_usage_that_was_pruned_still_counts_before_what_is_repriced(any_world: World) -> None:
    subscriber(any_world, token_limit=100)
    for tokens in (100, 400, 500):
        any_world.use(tokens, cost="0.5")
    ids = [overage.id for overage in any_world.overages]
    waive(any_world.database, ids, reason="of a test", now=any_world.now)
    any_world.now = datetime(2027, 1, 10, tzinfo=UTC)
    before = horizon(any_world.settings, timedelta(days=45), now=any_world.now)
    planned = plan_prune(any_world.database, any_world.settings, before, now=any_world.now)
    prune(any_world.database, any_world.settings, planned, now=any_world.now)
    assert usages(any_world) == []
    waived = charged(any_world)
    use(any_world, 1000, occurred_at="2026-11-27T00:00:00Z")
    reprice(any_world)
    assert charged(any_world) - waived == usages(any_world)[-1].cost  # all of it lies beyond
    adds_up(any_world)
