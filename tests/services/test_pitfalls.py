"""The predecessor's nine faults of the overage sync, each from the first usage to the invoice.

The number in a test's name is that of PITFALLS, "Overage sync".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from aimeter_cli.billing.base import ItemRequest, Reply
from aimeter_cli.db.engine import Database
from aimeter_cli.sandbox.client import SandboxControl
from aimeter_cli.services.overages import by_hand
from tests.conftest import Cli, Result
from tests.support import sync_process
from tests.support.processes import start
from tests.support.world import NOW, World, sandbox_settings

CREATE = "path=/v1/invoiceitems,method=POST"
ITEMS = "path=/v1/invoiceitems*,method=POST"


@pytest.fixture
def world(database: Database, sandbox: SandboxControl) -> Iterator[World]:
    made = World(database, sandbox, sandbox_settings(sandbox.url))
    yield made
    made.close()


@pytest.fixture
def any_world(any_database: Database, sandbox: SandboxControl) -> Iterator[World]:
    made = World(any_database, sandbox, sandbox_settings(sandbox.url))
    yield made
    made.close()


@pytest.fixture
def command(world: World, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command on the world's database and sandbox: ``command("overages", "list", at=NOW)``."""
    monkeypatch.setenv("AI_METERING_BILLING_DRIVER", "stripe")
    monkeypatch.setenv("STRIPE_API_KEY", "sk_test_world")
    monkeypatch.setenv("STRIPE_API_BASE", world.sandbox.url)

    def run(*args: object, at: datetime = NOW) -> Result:
        return cli(*args, "--format", "json", "--as-of", at.isoformat())

    return run


class Hooked:
    """The world's driver, with something that happens around each request."""

    name, livemode = "hooked", False

    def __init__(
        self,
        world: World,
        before: Callable[[ItemRequest], object] = lambda _: None,
        after: Callable[[ItemRequest], object] = lambda _: None,
    ) -> None:
        self._real, self._before, self._after = world.driver, before, after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def send(self, request: ItemRequest) -> Reply:
        self._before(request)
        reply = self._real.send(request)
        self._after(request)
        return reply


def sends(world: World) -> list[dict[str, Any]]:
    """Every request of the sandbox that could charge somebody."""
    return [
        row for row in world.sandbox.ledger()
        if row["method"] == "POST" and row["path"].startswith("/v1/invoiceitems")
    ]  # fmt: skip


def record(command: Callable[..., Result], tokens: int, at: datetime = NOW) -> Result:
    return command(
        "usage", "record", "--billable", "user:42", "--provider", "openai", "--model", "m",
        "--input-tokens", tokens, "--cost", "0", at=at,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("currency", "price", "minor"),
    [
        ("usd", "0.29", 87),
        ("usd", "0.004", 1),
        ("jpy", "29", 87),
        ("jpy", "0.4", 1),
        ("kwd", "0.29", 870),
        ("kwd", "0.004", 10),
    ],
)
def test_pitfall_1_amounts_survive_to_the_minor_unit(
    world: World, currency: str, price: str, minor: int
) -> None:
    plan = world.plan(currency=currency, overage_price_per_1k_tokens=Decimal(price))
    world.subscriber(plan=plan)
    for tokens in (2_000, 1_000, 1_000):  # three times the price of 1,000 tokens
        world.use(tokens)
        assert world.sync().exit_code == 0
    assert sum(overage.amount for overage in world.overages) == 3 * Decimal(price)
    assert world.charged() == [minor]


@pytest.mark.parametrize("death", ["without a customer", "refused", "behind a gateway's 502"])
def test_pitfall_2_ten_dead_rows_at_the_head_do_not_starve_limit_10(
    world: World, command: Callable[..., Result], death: str
) -> None:
    plan = world.plan()
    for n in range(10):
        customer = None if death == "without a customer" else f"cus_dead{n}"
        world.subscriber(f"dead:{n}", plan=plan, customer=customer)
        world.use(501_000, f"dead:{n}")
        if death == "behind a gateway's 502":
            world.sandbox.add_fault(f"502:customer=cus_dead{n}")
    world.subscriber(plan=plan)
    world.use(501_000)
    for _ in range(2):
        command("sync-stripe-overages", "--limit", "10", "--retry-now")
    assert world.charged() == [1000]
    assert world.statuses()[-1] == "synced"


def test_pitfall_2_overlapping_processes_send_every_overage_once(any_world: World) -> None:
    plan = any_world.plan()
    refs = [f"user:{n}" for n in range(12)]
    for ref in refs:
        any_world.subscriber(ref, plan=plan)
        any_world.use(501_000, ref)
    any_world.sandbox.set(latency_ms=100)  # so that each still waits when the other begins
    url = any_world.database.url.render_as_string(hide_password=False)
    processes = start(sync_process.main, [(url, any_world.sandbox.url)] * 2)
    settled = [process.result() for process in processes]
    assert sum(settled) == len(sends(any_world)) == len(refs)
    assert any_world.charged() == [1000] * len(refs)


@pytest.mark.parametrize(
    ("fault", "status"),
    [("400:stored=no", 3), ("lost", 3), ("500_after", 3), ("reset", 3), (None, 0)],
)
def test_pitfall_3_the_exit_status_is_3_as_soon_as_one_row_is_not_settled(
    world: World, command: Callable[..., Result], fault: str | None, status: int
) -> None:
    plan = world.plan()
    for n in range(3):
        world.subscriber(f"user:{n}", plan=plan)
        world.use(501_000, f"user:{n}")
    if fault is not None:
        world.sandbox.add_fault(f"{fault}{',' if ':' in fault else ':'}{CREATE},nth=2")
    done = command("sync-stripe-overages")
    assert (done.code, done.json["synced"]) == (status, 2 if fault else 3)


def test_pitfall_4_a_key_means_one_amount_for_ever_though_usage_goes_on(world: World) -> None:
    world.subscriber(plan=world.plan())
    world.use(51_000)
    world.sandbox.add_fault(f"lost:{CREATE},nth=1")
    world.sync()
    world.use(350_000)  # while it is unknown whether the first 1.00 was charged
    world.sandbox.move_clock(25 * 3600)  # and a day later, when Stripe has forgotten its key
    world.time_passes(25 * 3600)
    for _ in range(2):
        assert world.sync().exit_code == 0
    bodies: dict[str, set[str]] = {}
    for row in sends(world):
        bodies.setdefault(row["idempotency_key"], set()).add(str(row["form"]))
    assert {len(different) for different in bodies.values()} == {1}
    assert world.charged() == [800]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_pitfall_5_usage_recorded_while_its_overage_is_sent_is_neither_lost_nor_marked(
    any_world: World, moment: str
) -> None:
    any_world.subscriber(plan=any_world.plan())
    any_world.use(51_000)
    late: list[object] = []

    def use_once(_request: ItemRequest) -> None:
        if not late:
            late.append(any_world.use(350_000))

    real = any_world.driver
    any_world.driver = Hooked(any_world, **{moment: use_once})
    assert any_world.sync().synced == 1
    any_world.driver = real
    assert any_world.charged() == [100]
    assert [(overage.status, overage.amount) for overage in any_world.overages] == [
        ("synced", Decimal(1)),
        ("open", Decimal(7)),
    ]
    any_world.sync()
    assert (any_world.charged(), any_world.statuses()) == ([800], ["synced", "synced"])


def test_pitfall_6_every_error_names_its_own_customer(
    world: World, command: Callable[..., Result]
) -> None:
    plan = world.plan()
    for n, customer in enumerate(["make", "cus_gone1", "make", "cus_gone3", "make"]):
        world.subscriber(f"user:{n}", plan=plan, customer=customer)
        world.use(501_000, f"user:{n}")
    lines = command("sync-stripe-overages").json["items"]
    told = {line["billable"]: line for line in lines if line["status"] == "failed"}
    assert sorted(told) == ["user:1", "user:3"]
    for listed in command("overages", "list", "--failed").json:
        line, number = told[listed["billable"]], listed["billable"][-1]
        assert line["stripe_customer_id"] == f"cus_gone{number}"
        assert line["overages"] == [listed["id"]]
        for error in (line["error"], listed["last_error"]):
            assert f"cus_gone{number}" in error
            assert f"cus_gone{4 - int(number)}" not in error
    assert [line["error"] for line in lines if line["status"] == "synced"] == [None] * 3


def test_pitfall_6_a_type_error_is_told_and_stops_no_other_row(world: World) -> None:
    plan = world.plan()
    for n in range(3):
        world.subscriber(f"user:{n}", plan=plan)
        world.use(501_000, f"user:{n}")

    def fail(request: ItemRequest) -> None:
        if request.params["metadata"]["aimeter_billable"] == "user:1":
            raise TypeError("amount must be real number, not NoneType")

    real = world.driver
    world.driver = Hooked(world, before=fail)
    report = world.sync()
    world.driver = real
    assert (type(report.fault), report.exit_code, report.synced) == (TypeError, 70, 2)
    world.time_passes(60)
    assert (world.sync().synced, world.charged()) == (1, [1000] * 3)


def test_pitfall_7_two_equal_overages_of_one_day_are_both_charged_at_once(
    world: World, command: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AI_METERING_OVERAGE_SYNC_STRATEGY", "immediate")
    world.subscriber(plan=world.plan(token_limit=0))
    for charged in (1000, 2000):
        assert record(command, 500_000).json["charge"] == "10.000000000"
        assert world.charged() == [charged]
    assert world.statuses() == ["synced", "synced"]


def test_pitfall_7_a_retry_past_midnight_charges_nothing_again(
    world: World, command: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AI_METERING_OVERAGE_SYNC_STRATEGY", "immediate")
    world.subscriber(plan=world.plan())
    world.sandbox.add_fault(f"lost:{CREATE},nth=1")
    evening = datetime(2026, 11, 15, 23, 59, 59, tzinfo=UTC)
    record(command, 501_000, at=evening)
    assert world.statuses() == ["unknown"]
    done = command("sync-stripe-overages", "--retry-now", at=evening + timedelta(seconds=2))
    assert (done.code, done.json["synced"], world.charged()) == (0, 1, [1000])


def test_pitfall_8_an_immediate_charge_whose_answer_is_lost_is_not_charged_again_by_the_batch(
    world: World, command: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.subscriber(plan=world.plan())
    world.sandbox.add_fault(f"lost:{ITEMS},nth=1")
    world.sandbox.add_fault(f"lost:{ITEMS},nth=3")
    with monkeypatch.context() as immediate:
        immediate.setenv("AI_METERING_OVERAGE_SYNC_STRATEGY", "immediate")
        done = record(command, 501_000)
    assert (done.code, "the next sync-stripe-overages goes on" in done.err) == (0, True)
    record(command, 100_000)  # more, before the batch finds out about the first
    for _ in range(3):
        command("sync-stripe-overages", "--retry-now")
    assert (world.charged(), world.statuses()) == ([1200], ["synced", "synced"])
    assert len(world.sandbox.items()) == 1


def test_pitfall_9_older_debt_is_not_marked_with_a_new_amount(world: World) -> None:
    world.subscriber(plan=world.plan(), started_at=datetime(2026, 1, 1, tzinfo=UTC))
    world.use(151_000, occurred_at="2026-09-15T00:00:00Z")  # 3.00, too late: held
    world.use(251_000, occurred_at="2026-10-15T00:00:00Z")  # 5.00, refused
    world.sandbox.add_fault(f"400:{CREATE},nth=1,stored=no")
    world.sync()
    world.use(51_000)  # 1.00
    assert world.sync().synced == 1
    assert world.statuses() == ["held", "failed", "synced"]
    assert (world.charged(), world.overages[2].amount) == ([100], Decimal(1))
    by_hand.release(world.database, [1], now=NOW)
    by_hand.retry(world.database, [2], now=NOW)
    assert world.sync().exit_code == 0
    assert (world.charged(), world.statuses()) == ([100, 300, 500], ["synced"] * 3)
