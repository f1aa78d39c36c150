"""The audit: clean after whatever may happen, and a nano, a cent or an item amiss is found."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session

from aimeter_cli.billing.base import Reply
from aimeter_cli.db.engine import Database
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.domain.sync import Answer
from aimeter_cli.errors import AimeterError, ConfigurationError
from aimeter_cli.sandbox.client import SandboxControl
from aimeter_cli.services.audit import run as audit_run
from aimeter_cli.services.audit.conversion import amounts_at
from aimeter_cli.services.audit.difference import Difference
from aimeter_cli.services.audit.run import Audit, run_audit
from aimeter_cli.services.overages import by_hand
from aimeter_cli.services.subscriptions.stripe_ids import set_stripe_ids
from tests.conftest import SANDBOX_DEFAULTS
from tests.support.postgres import Copies, PostgresServer
from tests.support.world import NOW, World, sandbox_settings

NANO = Decimal("0.000000001")
CENT = Decimal("0.01")
GONE = Decimal("0.0009782")
DUE = Decimal("0.85")
TOKEN = Decimal("0.000061760")
RATES = {"usd_eur": Decimal("0.85"), "gbp_usd": Decimal("1.27")}
EXTERNAL = "ii_1PgafuLkdIwHu7ix"
CREATE = "path=/v1/invoiceitems,method=POST,nth=1"


@pytest.fixture
def world(database: Database, sandbox: SandboxControl) -> Iterator[World]:
    made = World(database, sandbox, sandbox_settings(sandbox.url, currency_rates=RATES))
    yield made
    made.close()


@pytest.fixture
def any_world(any_database: Database, sandbox: SandboxControl) -> Iterator[World]:
    made = World(any_database, sandbox, sandbox_settings(sandbox.url, currency_rates=RATES))
    yield made
    made.close()


@pytest.fixture(scope="module")
def sqlite_story(
    sqlite_template: Path, sandbox_process: SandboxControl, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """An SQLite file after the story."""
    file = tmp_path_factory.mktemp("story") / "story.db"
    shutil.copy(sqlite_template, file)
    database = told(Database(f"sqlite:///{file}"), sandbox_process)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.dispose()
    return file


@pytest.fixture(scope="module")
def pg_stories(
    pg_server: PostgresServer, pg_migrated: Copies, sandbox_process: SandboxControl
) -> Copies:
    """PostgreSQL databases after the story."""
    return Copies(pg_server, lambda database: told(database, sandbox_process), pg_migrated.name)


@pytest.fixture(params=["sqlite", "postgresql"])
def story(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database of the test's own, after the story."""
    if request.param == "sqlite":
        file = tmp_path / "story.db"
        shutil.copy(request.getfixturevalue("sqlite_story"), file)
        made = Database(f"sqlite:///{file}")
        yield made
        made.dispose()
        return
    with request.getfixturevalue("pg_stories").one() as url:
        made = Database(url)
        yield made
        made.dispose()


def told(database: Database, sandbox: SandboxControl) -> Database:
    sandbox.reset()
    sandbox.set(**SANDBOX_DEFAULTS)
    world = World(database, sandbox, sandbox_settings(sandbox.url, currency_rates=RATES))
    tell_the_story(world)
    world.close()
    return database


def tell_the_story(world: World) -> None:
    """Whatever may happen to an overage, each to a billable of its own."""
    plan = world.plan(overage_price_per_1k_tokens=Decimal("0.0137"))
    by_cost = world.plan(
        "cost", token_limit=5_000, cost_limit=Decimal(1), request_limit=2,
        overage_price_per_1k_tokens=None,
    )  # fmt: skip
    usual = "carry waive external difference person held deleted lost moved".split()
    for name in usual:
        world.subscriber(f"user:{name}", plan=plan)
    world.subscriber("user:cost", plan=by_cost)
    world.subscriber("user:eur", plan=plan, currency="eur")
    world.subscriber("user:gbp", plan=plan, currency="gbp")
    world.subscriber("user:rate", plan=plan, currency="jpy")
    world.subscriber("user:failed", plan=plan, customer="cus_nobody")
    world.subscriber("user:nobody", plan=plan, customer=None)
    world.subscriber("user:free", plan=world.plan("free", overage_behavior="allow"))
    world.subscriber("user:late", plan=plan, started_at=datetime(2026, 1, 1, tzinfo=UTC))
    world.use(777_000, "user:late", occurred_at="2026-09-15T00:00:00Z")
    for cost in ("0.300000001", "0.7", "0.123456789", "0.5"):
        world.use(1_999, "user:cost", cost=cost)
    world.use(1_999, "user:cost", cost="0.2", currency="eur")
    world.use(1_999, "user:cost", cost=None, provider="nobody", model="unpriced")

    several = [name for name in usual if name != "lost"]
    use(world, *several, "eur", "gbp", "rate", "failed", "nobody", "free")
    by_hand.mark_synced(world.database, newest(world, "user:external"), EXTERNAL, now=NOW)
    world.sync()
    use(world, *several, "eur", "gbp")
    world.sync()
    by_hand.waive(world.database, [newest(world, "user:waive")], reason="goodwill", now=NOW)
    world.sync()

    by_hand.waive(world.database, [newest(world, "user:difference")], reason="late", now=NOW)
    for name in ("held", "person"):
        world.sandbox.person_change_item(item_of(world, f"user:{name}"), 5)
    for name in ("carry", "difference", "person"):
        world.sandbox.person_finalize(customer_of(world, f"user:{name}"))
    world.sandbox.person_delete_item(item_of(world, "user:deleted"))
    set_stripe_ids(
        world.database, BillableRef.parse("user:moved"), customer=world.customer(), force=True,
        now=NOW,
    )  # fmt: skip
    use(world, "carry", "difference", "person", "held", "deleted")
    for _ in range(2):
        world.sync()
    use(world, "lost")
    world.sandbox.add_fault(f"lost:{CREATE}")
    world.sync()


def use(world: World, *names: str) -> None:
    for number, name in enumerate(names):
        world.use(123_457 + 1_013 * number, f"user:{name}", cost="0.0001")


def newest(world: World, ref: str) -> int:
    """The newest overage of a billable."""
    with world.database.read() as session:
        query = (
            "SELECT MAX(o.id) FROM ai_overages o JOIN ai_billables b ON b.id = o.billable_id"
            f" WHERE b.type || ':' || b.external_id = '{ref}'"
        )
        return int(session.connection().exec_driver_sql(query).scalar_one())


def item_of(world: World, ref: str) -> str:
    """The newest item of a billable at the sandbox."""
    items = [i for i in world.sandbox.items() if i["metadata"].get("aimeter_billable") == ref]
    return str(items[-1]["id"])


def customer_of(world: World, ref: str) -> str:
    [item] = [i for i in world.sandbox.items() if i["id"] == item_of(world, ref)]
    return str(item["customer"])


def owing(world: World, *refs: str) -> None:
    plan = world.plan()
    for ref in refs or ("user:42",):
        world.subscriber(ref, plan=plan)
        world.use(501_000, ref)
    world.sync()


def remote(world: World, **options: Any) -> Audit:
    return run_audit(world.database, driver=world.driver, **options)


Found = tuple[str, Decimal | None]


def found(audit: Audit) -> list[Found]:
    """(check, by how much) of every difference."""
    return in_order([(each.check, each.difference) for each in audit.differences])


def in_order(differences: list[Found]) -> list[Found]:
    return sorted(differences, key=lambda each: (each[0], each[1] or 0))


def test_a_history_of_everything_that_may_happen_adds_up(any_world: World) -> None:
    tell_the_story(any_world)
    statuses = {(item.status, item.reason) for item in any_world.items}
    assert statuses >= {
        ("idle", None), ("closed", None), ("closed", "moved"), ("closed", "difference_carried"),
        ("closed", "changed_at_stripe"), ("held", "changed_at_stripe"),
        ("held", "deleted_at_stripe"),
    }  # fmt: skip
    assert {"failed", "unknown"} <= {item.status for item in any_world.items}
    audit = remote(any_world)
    assert audit.differences == []
    assert audit.in_words == (
        f"Everything adds up: {audit.usages} usages, {len(any_world.overages)} overages, "
        f"{len(any_world.items)} items, {len(any_world.sandbox.items())} at Stripe."
    )
    for each in audit.totals:
        assert (each.billable, each.difference) == ("all", Decimal(0))
    [usd] = [each for each in audit.totals if each.currency == "usd"]
    assert min(
        usd.items, usd.carry, usd.unsent, usd.in_flight, usd.held, usd.waived, usd.external,
        usd.by_person,
    ) > 0  # fmt: skip


def first(table: str, where: str) -> str:
    return f" WHERE id = (SELECT MIN(id) FROM {table} WHERE {where})"


USAGE = first(
    "ai_usages",
    "charge > 0 AND overage_id IN"
    " (SELECT id FROM ai_overages WHERE status = 'synced' AND charge_currency = 'usd')",
)
SYNCED = first(
    "ai_overages",
    "status = 'synced' AND charge_currency = 'usd' AND item_id IN"
    " (SELECT id FROM ai_invoice_items WHERE status = 'idle' AND NOT is_dirty)",
)
ON_CLOSED = first(
    "ai_overages",
    "status = 'synced' AND item_id IN"
    " (SELECT id FROM ai_invoice_items WHERE status = 'closed' AND reason IS NULL)",
)
IN_EUR, IN_GBP = (first("ai_overages", f"charge_currency = '{code}'") for code in ("eur", "gbp"))
COUNTER = first("ai_usage_counters", "overage_behavior = 'charge' AND request_limit > 0")
IDLE = first("ai_invoice_items", "status = 'idle' AND currency = 'usd'")
UNKNOWN = first("ai_invoice_items", "status = 'unknown'")
CLOSED = first("ai_invoice_items", "status = 'closed' AND reason IS NULL AND carry_out > 0")
BY_PERSON = first("ai_invoice_items", "status = 'closed' AND reason = 'changed_at_stripe'")

PLANTS = {
    "a nano in a usage's charge": (
        "ai_usages SET charge = charge + 1" + USAGE,
        [("charges", NANO), ("overages", -NANO)],
    ),
    "a nano in a usage's cost": (
        "ai_usages SET plan_cost = plan_cost + 1" + USAGE,
        [("charges", -NANO), ("counters", -NANO)],
    ),
    "a token in a usage": (
        "ai_usages SET output_tokens = output_tokens + 1" + USAGE,
        [("counters", -TOKEN), ("counters", None)],
    ),
    "a usage without its overage": (
        "ai_usages SET overage_id = NULL" + USAGE,
        [("charges", NANO), ("overages", NANO)],
    ),
    "a usage on another's overage": (
        "ai_usages SET overage_id = (SELECT MAX(id) FROM ai_overages)" + USAGE,
        [("charges", None), ("overages", NANO), ("overages", -NANO)],
    ),
    "a nano in an overage": (
        "ai_overages SET amount = amount + 1" + SYNCED,
        [("conversions", -NANO), ("overages", NANO)],
    ),
    "a nano in a charge": (
        "ai_overages SET charge_amount = charge_amount + 1" + SYNCED,
        [("conversions", NANO)],
    ),
    "a nano in a charge on an invoice": (
        "ai_overages SET charge_amount = charge_amount + 1" + ON_CLOSED,
        [("balance", -NANO), ("conversions", NANO), ("items", -NANO)],
    ),
    "a nano in a charge in euros": (
        "ai_overages SET charge_amount = charge_amount + 1" + IN_EUR,
        [("conversions", NANO)],
    ),
    "a nano in a charge at an inverse rate": (
        "ai_overages SET charge_amount = charge_amount - 1" + IN_GBP,
        [("conversions", -NANO)],
    ),
    "a rate that is not pinned": (
        "ai_overages SET exchange_rate = NULL" + IN_EUR,
        [("conversions", None)],
    ),
    "a token in a counter": (
        "ai_usage_counters SET tokens = tokens + 1" + COUNTER,
        [("counters", None)],
    ),
    "a request in a counter": (
        "ai_usage_counters SET requests = requests + 1" + COUNTER,
        [("counters", None)],
    ),
    "a nano in a counter": (
        "ai_usage_counters SET cost = cost + 1" + COUNTER,
        [("counters", NANO)],
    ),
    "a nano in a counter's cost beyond the token limit": (
        "ai_usage_counters SET excess_token_cost = excess_token_cost + 1" + COUNTER,
        [("counters", NANO)],
    ),
    "a nano in a counter's cost beyond the request limit": (
        "ai_usage_counters SET excess_request_cost = excess_request_cost + 1" + COUNTER,
        [("counters", NANO)],
    ),
    "a nano in a counter's terms": (
        "ai_usage_counters SET cost_limit = cost_limit + 1" + COUNTER,
        [("charges", NANO)],
    ),
    "a cent in an item": (
        "ai_invoice_items SET confirmed_minor = confirmed_minor + 1" + IDLE,
        [("attempts", None), ("balance", CENT), ("items", CENT)],
    ),
    "a cent on its way": (
        "ai_invoice_items SET target_minor = target_minor + 1" + UNKNOWN,
        [("balance", CENT), ("items", CENT)],
    ),
    "a cent on an invoice": (
        "ai_invoice_items SET final_minor = final_minor + 1" + CLOSED,
        [("balance", CENT), ("items", CENT)],
    ),
    "a nano in what is carried": (
        "ai_invoice_items SET carry_out = carry_out + 1" + CLOSED,
        [("balance", NANO), ("items", NANO)],
    ),
    "carry from an invoice that a person set": (
        "ai_invoice_items SET carry_out = carry_out + 1" + BY_PERSON,
        [("items", NANO)],
    ),
    "carry that went nowhere": (
        "ai_invoice_items SET carried_to_id = NULL" + CLOSED,
        [("balance", CENT), ("items", CENT)],
    ),
    "carry that went to somebody else": (
        "ai_invoice_items SET carried_to_id = (SELECT id FROM ai_invoice_items"
        " WHERE status = 'unknown')" + CLOSED,
        [("balance", GONE), ("balance", -GONE), ("carry", None), ("items", CENT), ("items", -CENT)],
    ),
    "carry that no version took": (
        "ai_invoice_items SET carried_in_version = 99" + CLOSED,
        [("carry", None)],
    ),
    "an overage that is waived silently": (
        "ai_overages SET status = 'waived'" + SYNCED,
        [("balance", DUE), ("items", DUE)],
    ),
    "an overage that no version charged": (
        "ai_overages SET in_version = 99" + SYNCED,
        [("statuses", None)],
    ),
    "an item that never was at Stripe": (
        "ai_invoice_items SET stripe_item_id = NULL" + IDLE,
        [("statuses", None)],
    ),
    "an overage that is stuck": (
        "ai_overages SET status = 'frozen'" + SYNCED,
        [("statuses", None)],
    ),
    "an overage of another period": (
        "ai_overages SET period_start = period_end" + SYNCED,
        [("statuses", None)],
    ),
    "an overage that is charged by hand, and by us": (
        "ai_overages SET external_item_id = (SELECT stripe_item_id FROM ai_invoice_items"
        + IDLE
        + "), item_id = NULL"
        + SYNCED,
        [("balance", DUE), ("items", DUE), ("statuses", None)],
    ),
}


@pytest.mark.parametrize(("change", "differs"), PLANTS.values(), ids=PLANTS)
def test_what_was_planted_is_found(change: str, differs: list[Found], story: Database) -> None:
    with story.write() as session:
        assert session.connection().exec_driver_sql(f"UPDATE {change}").rowcount == 1
    assert found(run_audit(story)) == in_order(differs)


def test_a_rate_of_eighteen_digits_was_cut_and_any_other_is_exact() -> None:
    assert amounts_at(9, Decimal("0.833333333333333333")) == (7, 8)  # 5/6: half a nano, either way
    assert amounts_at(10**12, Decimal("0.833333333333333333")) == (833333333333, 833333333333)
    assert amounts_at(10, Decimal("0.85")) == (8, 8)


def test_a_cent_that_a_person_added_at_stripe_is_found(any_world: World) -> None:
    owing(any_world, "user:1", "user:2")
    assert remote(any_world).differences == []
    any_world.sandbox.person_change_item(item_of(any_world, "user:2"), 1001)
    [difference] = remote(any_world).differences
    assert (difference.check, difference.billable) == ("stripe", "user:2")
    assert (difference.expected, difference.found) == (Decimal(10), Decimal("10.01"))
    assert difference.hint == f"aimeter overages explain {newest(any_world, 'user:2')}"
    assert run_audit(any_world.database).differences == []


def test_an_item_that_a_person_deleted_is_found(any_world: World) -> None:
    owing(any_world)
    any_world.sandbox.person_delete_item(item_of(any_world, "user:42"))
    [difference] = remote(any_world).differences
    assert (difference.check, difference.difference) == ("stripe", Decimal(-10))
    assert "was deleted" in difference.detail


def test_an_item_with_our_mark_that_no_row_knows_is_found(world: World) -> None:
    owing(world)
    ours = made_at_stripe(world, f"{install_id(world)}:nobody", 777)
    made_at_stripe(world, "another installation:nobody", 999)
    [difference] = remote(world).differences
    assert (difference.record, difference.difference) == (ours, Decimal("7.77"))
    assert customer_of(world, "user:42") in difference.detail


def test_a_second_item_of_the_same_name_is_found(world: World) -> None:
    owing(world)
    second = made_at_stripe(world, f"{install_id(world)}:{world.items[0].uid}", 1000)
    [difference] = remote(world).differences
    assert (difference.record, difference.difference) == ("item 1", Decimal(10))
    assert second in difference.detail


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("stripe_customer_id = 'cus_other'", "its customer is cus_"),
        ("currency = 'eur'", "its currency is usd at Stripe, eur here"),
        ("uid = 'other'", "its aimeter_item in its metadata is "),
    ],
)
def test_an_item_of_another_customer_currency_or_name_is_found(
    change: str, told: str, world: World
) -> None:
    owing(world)
    world.execute(f"UPDATE ai_invoice_items SET {change}")
    details = [each.detail for each in remote(world).differences if each.check == "stripe"]
    assert any(told in detail for detail in details)


def test_what_a_person_did_and_we_know_of_is_a_note(story: Database) -> None:
    notes = run_audit(story).notes
    assert [note.partition(";")[0].partition(" of ")[2] for note in notes if "set by" in note] == [
        "user:person was closed at 0.05 USD, set by a person at Stripe"
    ]
    assert [note.partition(":")[0] for note in notes if "set by" not in note] == [
        "1 item(s) failed", "2 item(s) held", "1 item(s) not settled yet",
    ]  # fmt: skip


def test_a_request_that_is_under_way_is_no_difference(world: World) -> None:
    owing(world)
    world.use(100_000)
    world.sandbox.add_fault("lost:path=/v1/invoiceitems/*,method=POST,nth=1")
    world.sync()
    assert world.charged() == [1200]  # executed, and not known here
    audit = remote(world)
    assert (audit.differences, audit.notes) == (
        [], ["1 item(s) not settled yet: item 1; aimeter sync-stripe-overages"],
    )  # fmt: skip
    world.sync()
    assert remote(world).differences == []


def test_a_sync_while_stripe_is_read_makes_no_difference(any_world: World) -> None:
    owing(any_world)
    any_world.use(100_000)
    listing = any_world.driver.ours  # type: ignore[attr-defined]
    seen: list[int] = []

    def ours(*args: Any) -> Any:
        seen.append(any_world.database.engine.pool.checkedout())  # type: ignore[attr-defined]
        any_world.sync()
        return listing(*args)

    any_world.driver.ours = ours  # type: ignore[attr-defined]
    audit = remote(any_world)
    assert (audit.differences, any_world.charged()) == ([], [1200])
    assert audit.notes == ["changed while Stripe was read: item 1; run the audit again"]
    assert seen == [0]  # no transaction was open


def test_what_is_written_while_the_audit_reads_is_none_of_its_business(
    story: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile(session: Session, billable_id: int | None) -> Iterator[Difference]:
        with story.write() as other:
            other.connection().exec_driver_sql("UPDATE ai_overages SET amount = amount + 1")
        yield from ()

    monkeypatch.setattr(audit_run, "CHECKS", (meanwhile, *audit_run.CHECKS))
    assert run_audit(story).differences == []
    monkeypatch.undo()
    assert not run_audit(story).adds_up


def test_one_billable_can_be_audited_alone(world: World) -> None:
    owing(world, "user:1", "user:2")
    for ref in ("user:1", "user:2"):
        world.sandbox.person_change_item(item_of(world, ref), 999)
    world.execute("UPDATE ai_overages SET amount = amount + 1")
    assert found(remote(world, billable_id=1)) == in_order(
        [("conversions", -NANO), ("overages", NANO), ("stripe", -CENT)]
    )
    audit = run_audit(world.database, billable_id=2)
    assert (audit.usages, audit.overages, audit.items) == (1, 1, 1)
    assert [each.billable for each in audit.totals] == ["user:2"]


def test_a_flood_of_differences_is_cut_and_said(
    story: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_run, "MOST", 3)
    with story.write() as session:
        session.connection().exec_driver_sql("UPDATE ai_overages SET amount = amount + 1")
    audit = run_audit(story)
    assert len([each for each in audit.differences if each.check == "overages"]) == 3
    assert "more than 3 differences of overages: the first ones" in audit.notes


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(Answer.UNREADABLE, reason="no answer", unreachable=True), AimeterError),
        (Reply(Answer.MISCONFIGURED, reason="401"), ConfigurationError),
    ],
)
def test_stripe_that_cannot_be_read_is_an_error_and_no_verdict(
    reply: Reply, error: type[AimeterError], world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    owing(world)
    monkeypatch.setattr(world.driver, "ours", lambda *_: reply)
    with pytest.raises(error) as listing:
        remote(world)
    monkeypatch.setattr(world.driver, "ours", lambda *_: [])
    monkeypatch.setattr(world.driver, "read", lambda _: reply)
    with pytest.raises(error) as reading:
        remote(world)
    assert type(listing.value) is type(reading.value) is error


def test_a_driver_that_cannot_list_is_refused(world: World) -> None:
    class Small:
        name, livemode = "small", False

        def ensure_ready(self) -> None: ...

    with pytest.raises(ConfigurationError, match="small cannot list our items"):
        run_audit(world.database, driver=Small())  # type: ignore[arg-type]


def install_id(world: World) -> str:
    from aimeter_cli.services.installation import sync_state

    return sync_state(world.database).install_id


def made_at_stripe(world: World, tag: str, amount: int) -> str:
    """An item that somebody else made for the customer of user:42; its id."""
    import stripe

    http = stripe.RequestsClient(timeout=(1, 5))
    client = stripe.StripeClient(
        "sk_test_world", base_addresses={"api": world.sandbox.url}, http_client=http
    )
    made = client.v1.invoice_items.create(
        {"customer": customer_of(world, "user:42"), "amount": amount, "currency": "usd",
         "metadata": {"aimeter_item": tag}}
    ).id  # fmt: skip
    http.close()  # type: ignore[no-untyped-call]
    return str(made)
