"""Pruning: only what is settled goes, its sums stay to the nano, and it can be stopped anywhere."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest

from aimeter_cli.db.engine import Database
from aimeter_cli.errors import InvalidInput
from aimeter_cli.models.installation import Installation
from aimeter_cli.models.job_runs import JobRun
from aimeter_cli.models.usages import Usage, UsageCounter, UsageDay
from aimeter_cli.repositories.prune import Limits, prune_usages
from aimeter_cli.repositories.reports import DIMENSIONS
from aimeter_cli.sandbox.client import SandboxControl
from aimeter_cli.services.audit.run import run_audit
from aimeter_cli.services.overages import by_hand
from aimeter_cli.services.overages.explain import explain
from aimeter_cli.services.prune import PruneReport, horizon, plan_prune, prune
from aimeter_cli.services.reports.span import span
from aimeter_cli.services.reports.usage import UsageReport, usage_report
from aimeter_cli.settings.table import Settings
from aimeter_cli.signals import StopFlag
from tests.services.test_audit import RATES, tell_the_story
from tests.support.world import NOW, START, World, sandbox_settings

AGE = timedelta(days=365)
LATER = datetime(2027, 12, 1, 18, tzinfo=UTC)
HORIZON = datetime(2026, 12, 1, tzinfo=UTC)
NOWHERE = "http://127.0.0.1:9"
ROOT = Path(__file__).parents[2]
PERIOD_OVER = LATER - timedelta(days=35)


@pytest.fixture
def any_world(any_database: Database) -> World:
    return World(any_database, cast(SandboxControl, None), sandbox_settings(NOWHERE))


@pytest.fixture
def world(database: Database) -> World:
    return World(database, cast(SandboxControl, None), sandbox_settings(NOWHERE))


def used(world: World, *, billables: int = 1, calls: int = 1, **fields: Any) -> None:
    """That many usages of 1,000 tokens and 0.001 USD each, of billables without a plan."""
    for call in range(calls):
        for number in range(billables):
            at = (START + timedelta(hours=7 * call)).isoformat()
            given = {"cost": "0.001", "occurred_at": at, "idempotency_key": f"{number}-{call}"}
            world.use(1_000, f"user:{number}", **(given | fields))


def subscribed(world: World, **terms: Any) -> None:
    """user:42 on a plan, 100 tokens within it and 900 beyond, in November 2026."""
    world.subscriber(plan=world.plan(token_limit=100, **terms), customer=None)
    for tokens in (100, 400, 500):
        world.use(tokens, cost="0.5")


def waived(world: World) -> None:
    ids = [overage.id for overage in world.overages]
    by_hand.waive(world.database, ids, reason="of a test", now=world.now)


def pruned(world: World, *, dry_run: bool = False, **options: Any) -> PruneReport:
    """A prune of what is a year old, a year later."""
    settings = world.settings
    before = horizon(settings, AGE, now=LATER)
    planned = plan_prune(world.database, settings, before, now=LATER)
    return planned if dry_run else prune(world.database, settings, planned, now=LATER, **options)


def kept(report: PruneReport) -> dict[str, int]:
    return {each.reason: each.count for each in report.kept}


def reported(world: World, by: Sequence[str] = DIMENSIONS) -> UsageReport:
    everything = span("UTC", now=LATER, until="2028-01-01")
    return usage_report(world.database, everything, tuple(by))


def installed(world: World) -> Installation:
    [row] = world.rows(Installation)
    assert isinstance(row, Installation)
    return row


def test_what_is_settled_goes_and_its_daily_sums_stay(any_world: World) -> None:
    subscribed(any_world)
    waived(any_world)
    report = pruned(any_world)
    assert (report.pruned, report.daily_sums, report.kept) == (3, 2, ())
    assert any_world.rows(Usage) == []
    free, charged = sorted(any_world.rows(UsageDay), key=lambda day: day.charge)
    assert (free.day, free.requests, free.input_tokens, free.charge) == (
        "2026-11-15", 1, 100, Decimal(0),
    )  # fmt: skip
    assert (charged.requests, charged.input_tokens, charged.cost) == (2, 900, Decimal(1))
    assert (charged.charge, charged.overage_id) == (Decimal("0.018"), any_world.overages[0].id)
    [counter] = any_world.rows(UsageCounter)
    assert (counter.tokens, counter.requests, counter.is_adjusted) == (1_000, 3, True)
    assert any_world.overages[0].amount == charged.charge
    assert installed(any_world).pruned_before == HORIZON


def test_a_rehearsal_tells_the_same_and_changes_nothing(any_world: World) -> None:
    used(any_world, calls=3)
    used(any_world, cost=None, model="unknown", idempotency_key="x")
    report = pruned(any_world, dry_run=True)
    assert (report.pruned, kept(report)) == (3, {"unpriced": 1})
    assert len(any_world.rows(Usage)) == 4
    assert any_world.rows(UsageDay) == any_world.rows(JobRun) == []
    assert installed(any_world).pruned_before is None


@pytest.mark.parametrize(
    ("occurred", "day"),
    [("2026-11-14T23:59:59.999999Z", "2026-11-14"), ("2026-11-15T00:00:00Z", "2026-11-15")],
)
def test_a_usage_goes_into_the_sums_of_its_day(occurred: str, day: str, any_world: World) -> None:
    used(any_world, occurred_at=occurred)
    pruned(any_world)
    assert [row.day for row in any_world.rows(UsageDay)] == [day]


def test_usage_of_the_day_of_the_horizon_and_younger_stays(any_world: World) -> None:
    for hour, key in ((-1, "old"), (0, "young")):
        at = HORIZON + timedelta(hours=hour)
        used(any_world, occurred_at=at.isoformat(), idempotency_key=key)
    assert pruned(any_world).pruned == 1
    assert [usage.idempotency_key for usage in any_world.rows(Usage)] == ["young"]


@pytest.mark.parametrize("status", ["open", "frozen", "needs_rate", "held", "failed", "unknown"])
def test_a_period_with_an_overage_that_is_not_settled_stays_whole(
    status: str, any_world: World
) -> None:
    subscribed(any_world)
    any_world.execute("UPDATE ai_overages SET status = :status", status=status)
    report = pruned(any_world)
    assert (report.pruned, kept(report)) == (0, {"unsettled": 3})
    assert installed(any_world).pruned_before is None


ITEM = (
    "INSERT INTO ai_invoice_items (id, uid, billable_id, subscription_id, period_start, period_end,"
    " currency, sequence, status, step, is_dirty, may_overwrite, is_leaving, is_stale, version,"
    " generation, target_minor, confirmed_minor, confirmed_version, attempts, carry_out,"
    " created_at, updated_at)"
    " SELECT 1, 'uid', billable_id, subscription_id, period_start, period_end, currency, 1,"
    " :status, 'send', false, false, false, false, 1, 1, 1, 1, 1, 0,"
    " CASE WHEN :status = 'closed' THEN 0 END, created_at, updated_at FROM ai_overages"
)


@pytest.mark.parametrize("status", ["synced", "carried", "waived"])
@pytest.mark.parametrize(("item", "goes"), [("closed", 3), ("idle", 0), ("held", 0)])
def test_what_is_on_an_item_goes_once_the_item_is_closed(
    status: str, item: str, goes: int, any_world: World
) -> None:
    subscribed(any_world)
    any_world.execute(ITEM, status=item)
    any_world.execute(
        "UPDATE ai_overages SET item_id = 1, status = :status, charge_amount = amount,"
        " charge_currency = currency",
        status=status,
    )
    report = pruned(any_world)
    assert report.pruned == goes
    assert kept(report) == ({} if goes else {"unsettled": 3})


@pytest.mark.parametrize(("item", "goes"), [("closed", 3), ("idle", 1)])
def test_a_batch_looks_again_before_it_deletes(item: str, goes: int, any_world: World) -> None:
    """A usage that charges nothing may go, one whose overage is not settled may not."""
    subscribed(any_world)
    any_world.execute(ITEM, status=item)
    any_world.execute(
        "UPDATE ai_overages SET item_id = 1, status = 'synced', charge_amount = amount,"
        " charge_currency = currency"
    )
    ids = [usage.id for usage in any_world.rows(Usage)]
    with any_world.database.write() as session:
        assert prune_usages(session, Limits(HORIZON, PERIOD_OVER), ids)[0] == goes
    assert len(any_world.rows(Usage)) == 3 - goes


def test_what_was_charged_by_hand_goes(any_world: World) -> None:
    subscribed(any_world)
    by_hand.mark_synced(any_world.database, any_world.overages[0].id, "ii_1", now=NOW)
    assert pruned(any_world).pruned == 3


@pytest.mark.parametrize("state", ["unpriced", "needs_rate"])
def test_a_period_of_which_a_usage_waits_to_be_priced_stays_whole(
    state: str, any_world: World
) -> None:
    """Repricing must find how much of it lay beyond the limit."""
    subscribed(any_world)
    waived(any_world)
    any_world.execute("UPDATE ai_usages SET state = :state WHERE input_tokens = 100", state=state)
    report = pruned(any_world)
    assert (report.pruned, kept(report)) == (0, {state: 1, "unsettled": 2})


def test_usage_that_a_wallet_still_has_to_pay_stays(any_world: World) -> None:
    used(any_world)
    any_world.execute("UPDATE ai_usages SET state = 'unpaid'")
    assert kept(pruned(any_world)) == {"unpaid": 1}
    assert len(any_world.rows(Usage)) == 1


def test_usage_that_the_ledger_names_stays_and_the_ledger_is_not_touched(any_world: World) -> None:
    used(any_world, calls=2)
    any_world.execute(
        "INSERT INTO ai_credit_wallets (id, billable_id, currency, balance, created_at, updated_at)"
        " SELECT 1, id, 'usd', 0, created_at, created_at FROM ai_billables"
    )
    any_world.execute(
        "INSERT INTO ai_credit_transactions (wallet_id, kind, amount, balance_after, usage_id,"
        " created_at) SELECT 1, 'usage', -1000000, 0, min(id), min(recorded_at) FROM ai_usages"
    )
    report = pruned(any_world)
    assert (report.pruned, kept(report)) == (1, {"in_ledger": 1})


@pytest.mark.parametrize(("ended", "goes"), [(PERIOD_OVER, 3), (PERIOD_OVER + AGE / 365, 0)])
def test_a_period_that_may_still_get_late_usage_stays(
    ended: datetime, goes: int, any_world: World
) -> None:
    subscribed(any_world)
    waived(any_world)
    with any_world.database.write() as session:
        [counter] = any_world.rows(UsageCounter)
        counter.period_end = ended
        session.add(counter)
    report = pruned(any_world)
    assert report.pruned == goes
    assert kept(report) == ({} if goes else {"recent_period": 3})


def corrected(world: World, **changes: Any) -> None:
    """A usage, and a correction of it by one nano."""
    used(world)
    [usage] = world.rows(Usage)
    fields = usage.model_dump(exclude={"id"}) | {
        "idempotency_key": "correction", "adjusts_id": usage.id, "input_tokens": 0,
        "cost": Decimal("0.000000001"),
    }  # fmt: skip
    with world.database.write() as session:
        session.add(Usage(**(fields | changes)))


def test_a_correction_goes_with_what_it_corrects_and_is_no_request(any_world: World) -> None:
    corrected(any_world)
    assert pruned(any_world).pruned == 2
    [day] = any_world.rows(UsageDay)
    assert (day.requests, day.cost) == (1, Decimal("0.001000001"))


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({"state": "unpaid"}, {"unpaid": 1, "correction": 1}),
        ({"occurred_at": HORIZON}, {"correction": 1}),
    ],
)
def test_a_usage_stays_while_its_correction_does(
    changes: dict[str, Any], reasons: dict[str, int], any_world: World
) -> None:
    corrected(any_world, **changes)
    report = pruned(any_world)
    assert (report.pruned, kept(report)) == (0, reasons)


def test_a_correction_that_came_since_the_plan_was_made_keeps_its_usage(any_world: World) -> None:
    corrected(any_world, state="unpaid")
    [usage, _] = any_world.rows(Usage)
    with any_world.database.write() as session:
        assert prune_usages(session, Limits(HORIZON, PERIOD_OVER), [usage.id]) == (0, 0)
    assert len(any_world.rows(Usage)) == 2


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_a_report_is_the_same_before_and_after(batch_size: int, any_world: World) -> None:
    used(any_world, billables=3, calls=11, feature="chat")
    used(any_world, currency="eur", model="other", output_tokens=5, idempotency_key="euro")
    before = reported(any_world)
    assert pruned(any_world, batch_size=batch_size).pruned == 34
    assert any_world.rows(Usage) == []
    after = reported(any_world)
    assert (after.rows, after.totals) == (before.rows, before.totals)


def test_many_usages_make_few_daily_sums(world: World) -> None:
    """Batches go along a billable's time, not along the order in which all of them came."""
    used(world, billables=5, calls=40)  # of twelve days
    report = pruned(world, batch_size=20)
    assert (report.pruned, report.daily_sums) == (200, 5 * 12 + 5)


def test_a_kill_in_the_middle_leaves_whole_batches_and_the_next_prune_goes_on(
    any_world: World,
) -> None:
    used(any_world, billables=2, calls=10)
    before = reported(any_world)
    url = any_world.database.url.render_as_string(hide_password=False)
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.prune_process", url, "6", "3"], cwd=ROOT, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert len(any_world.rows(Usage)) == 20 - 2 * 6
    assert reported(any_world).rows == before.rows
    assert installed(any_world).pruned_before == HORIZON
    assert pruned(any_world).pruned == 8
    assert reported(any_world).rows == before.rows
    killed, last = sorted(any_world.rows(JobRun), key=lambda run: run.started_at)
    assert (killed.finished_at, last.exit_code) == (None, 0)
    assert json.loads(last.counts) == {"pruned": 8, "daily_sums": last_sums(any_world)}


def last_sums(world: World) -> int:
    [last] = sorted(world.rows(JobRun), key=lambda run: run.started_at)[-1:]
    return int(json.loads(last.counts)["daily_sums"])


def test_others_record_between_the_batches(any_world: World) -> None:
    used(any_world, calls=10)
    at_work: list[int] = []

    def record(_: int) -> None:
        at_work.append(len(any_world.rows(Usage)))
        any_world.use(1, "user:new", occurred_at=LATER.isoformat())

    any_world.now = LATER
    assert pruned(any_world, batch_size=3, advance=record).pruned == 10
    assert at_work == [7, 5, 3, 3]
    assert len(any_world.rows(Usage)) == 4


def test_two_prunes_at_once_take_every_usage_once(any_world: World) -> None:
    used(any_world, calls=10)
    before = reported(any_world)
    others: list[int] = []

    def another(_: int) -> None:
        if not others:
            others.append(0)
            others.append(pruned(any_world, batch_size=4).pruned)

    mine = pruned(any_world, batch_size=3, advance=another).pruned
    assert (mine, others) == (3, [0, 7])
    assert reported(any_world).rows == before.rows


def test_a_usage_that_somebody_holds_is_left_to_the_next_prune(pg_database: Database) -> None:
    world = World(pg_database, cast(SandboxControl, None), sandbox_settings(NOWHERE))
    used(world, calls=2)
    with pg_database.write() as session:
        session.connection().exec_driver_sql(
            "SELECT id FROM ai_usages ORDER BY id LIMIT 1 FOR KEY SHARE"
        )
        assert pruned(world).pruned == 1
    assert pruned(world).pruned == 1


def test_a_signal_ends_it_after_the_batch_under_way(world: World) -> None:
    used(world, calls=10)
    stop = StopFlag()
    report = pruned(world, batch_size=3, stop=stop, advance=lambda _: stop.stop(signal.SIGTERM))
    assert report.pruned == 3
    [run] = world.rows(JobRun)
    assert (run.command, run.exit_code) == ("usage prune", 143)
    assert json.loads(run.counts)["pruned"] == 3


def test_usage_from_before_the_horizon_is_refused_and_a_repeat_is_no_second_charge(
    any_world: World,
) -> None:
    used(any_world, cost="7")
    assert any_world.use(1, occurred_at="2026-11-01").is_new
    pruned(any_world)
    with pytest.raises(InvalidInput, match="occurred_at: 2026-11-01T00:00:00Z lies before 2026-12"):
        used(any_world, cost="7")
    any_world.now = LATER
    with pytest.raises(InvalidInput, match="lies before 2026-12-01"):
        used(any_world, cost="7")
    assert any_world.rows(Usage) == []
    assert any_world.use(1, occurred_at=HORIZON.isoformat()).is_new


def test_the_time_before_which_usage_is_refused_never_moves_back(any_world: World) -> None:
    used(any_world, calls=2)
    any_world.execute("UPDATE ai_usages SET state = 'unpaid' WHERE id = 2")
    assert pruned(any_world).pruned == 1
    any_world.execute("UPDATE ai_usages SET state = 'priced'")
    settings = any_world.settings
    earlier = plan_prune(any_world.database, settings, HORIZON - AGE / 73, now=LATER)
    assert prune(any_world.database, settings, earlier, now=LATER).pruned == 1
    assert installed(any_world).pruned_before == HORIZON


@pytest.mark.parametrize("days", [0, 1, 34])
def test_usage_within_the_time_in_which_it_may_come_late_is_never_pruned(days: int) -> None:
    with pytest.raises(InvalidInput, match=r"--older-than: \d+d is too short: .* by 35d"):
        horizon(Settings(), timedelta(days=days), now=LATER)
    with pytest.raises(InvalidInput, match="--older-than: 0d is too short"):
        horizon(Settings(late_usage_days=0), timedelta(hours=23), now=LATER)


def test_the_setting_says_when_unless_the_command_does() -> None:
    assert horizon(Settings(), None, now=LATER) is None
    assert horizon(Settings(), AGE, now=LATER) == HORIZON
    assert horizon(Settings(prune_after_days=365), None, now=LATER) == HORIZON
    shorter = horizon(Settings(prune_after_days=3650), AGE, now=LATER)
    assert shorter == HORIZON
    with pytest.raises(InvalidInput, match="prune_after_days: 3d is too short"):
        horizon(Settings(prune_after_days=3), None, now=LATER)


def test_an_overage_is_explained_by_the_daily_sums_of_what_was_pruned(any_world: World) -> None:
    subscribed(any_world)
    waived(any_world)
    overage = any_world.overages[0]
    whole = explain(any_world.database, overage.id)
    assert whole.pruned_days == ()
    pruned(any_world)
    found = explain(any_world.database, overage.id)
    assert (found.usages, found.older_usages.count) == ((), 0)
    [day] = found.pruned_days
    assert (day.day, day.requests, day.tokens) == ("2026-11-15", 2, 900)
    assert (day.charge, day.currency) == (overage.amount, "usd")
    assert found.totals == whole.totals
    assert found.charges == whole.charges


@pytest.fixture
def told_world(any_database: Database, sandbox: SandboxControl) -> World:
    """Everything that may happen, and then every invoice is made."""
    made = World(any_database, sandbox, sandbox_settings(sandbox.url, currency_rates=RATES))
    tell_the_story(made)
    for customer in sorted({item["customer"] for item in sandbox.items()}):
        sandbox.person_finalize(customer)
    made.now += timedelta(days=20)
    made.time_passes(4000)
    for _ in range(2):
        made.sync()
    made.driver.close()
    return made


def test_after_everything_that_may_happen_only_what_is_settled_goes(told_world: World) -> None:
    before, audit = reported(told_world), run_audit(told_world.database)
    assert audit.adds_up
    report = pruned(told_world, batch_size=5)
    assert 0 < report.pruned < audit.usages
    assert len(told_world.rows(Usage)) == audit.usages - report.pruned
    gone = {day.overage_id for day in told_world.rows(UsageDay) if day.overage_id is not None}
    items = {item.id: item.status for item in told_world.items}
    places = {
        (overage.status, items.get(overage.item_id or 0))
        for overage in told_world.overages if overage.id in gone
    }  # fmt: skip
    assert places == {("synced", "closed"), ("waived", "closed"), ("synced", None)}
    after = reported(told_world)
    assert (after.rows, after.totals) == (before.rows, before.totals)


def test_the_audit_adds_up_after_a_prune(told_world: World) -> None:
    pruned(told_world, batch_size=5)
    audit = run_audit(told_world.database)
    assert audit.differences == []


def test_a_prune_finds_its_way_by_indexes(world: World) -> None:
    """No step of a batch reads a table from end to end."""
    used(world, calls=3)
    statements: list[tuple[str, Any]] = []
    from sqlalchemy import event

    def remember(_c: Any, _cur: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.lstrip().startswith(("SELECT", "DELETE", "UPDATE", "INSERT", "WITH")):
            statements.append((statement, parameters))

    event.listen(world.database.engine, "before_cursor_execute", remember)
    with world.database.write() as session:
        prune_usages(session, Limits(HORIZON, PERIOD_OVER), [1, 2])
    event.remove(world.database.engine, "before_cursor_execute", remember)
    plans = [_plan(world.database, *each) for each in statements]
    assert len(plans) >= 7
    for plan in plans:
        assert not [step for step in plan if step.startswith("SCAN ai_") and "install" not in step]


def _plan(database: Database, statement: str, parameters: Any) -> list[str]:
    with database.read() as session:
        rows = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        return [str(row[3]) for row in rows]
