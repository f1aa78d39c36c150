"""The whole import: once, all or nothing, and nothing that was charged there is charged again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy.exc import IntegrityError

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.pricing import NO_PRICES
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.domain.usage import usage_line
from aimeter_cli.errors import Conflict
from aimeter_cli.models.domain_events import DomainEvent
from aimeter_cli.models.overages import Overage
from aimeter_cli.models.plans import Plan
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.models.usages import Usage, UsageCounter
from aimeter_cli.repositories import imports
from aimeter_cli.sandbox.client import SandboxControl
from aimeter_cli.services.anonymize import anonymize
from aimeter_cli.services.audit.run import run_audit
from aimeter_cli.services.laravel.reconciliation import Reconciliation
from aimeter_cli.services.laravel.run import Options, import_laravel
from aimeter_cli.services.prune import horizon, plan_prune, prune
from aimeter_cli.services.recording.record import Recorder
from aimeter_cli.settings.table import Settings
from tests.services.laravel.moving import CHARGING, NOW, counts, everything, move, reasons, rows
from tests.services.laravel.shop import Shop, furnished
from tests.support.world import World, sandbox_settings

ALL = {
    "ai_plans": (2, 0, 0),
    "ai_subscriptions": (2, 0, 0),
    "ai_usages": (5, 0, 0),
    "ai_overages": (2, 0, 0),
    "ai_credit_wallets": (1, 0, 0),
    "ai_credit_transactions": (2, 0, 0),
}
CHARGED_SINCE = (
    "it was imported before, and charged there since: aimeter overages mark-synced 2 ii_2"
)
SUMS = [
    ("ai_usages", "cost", Decimal("1.260001")),
    ("ai_overages", "synced", Decimal("0.100001")),
    ("ai_overages", "unsynced", Decimal("0.07")),
    ("ai_credit_transactions", "ledger", Decimal("9.5")),
    ("ai_credit_wallets", "balance", Decimal("9.5")),
]


def use(database: Database, tokens: int, occurred_at: datetime = NOW) -> None:
    line = usage_line(
        {
            "billable": "user:1", "provider": "openai", "model": "m", "input_tokens": tokens,
            "cost": "0", "idempotency_key": f"after:{tokens}:{occurred_at}",
        },
        now=occurred_at,
    )  # fmt: skip
    Recorder(database, CHARGING, NO_PRICES).record_one(line, now=NOW)


def test_every_row_comes_and_both_sides_come_to_the_same(
    any_database: Database, shop: Shop
) -> None:
    report = move(any_database, furnished(shop))
    assert counts(report) == ALL
    assert [(each.table, each.what, each.theirs) for each in report.sums] == SUMS
    assert all(each.ours == each.theirs and not each.left_out for each in report.sums)
    assert report.left_out == []
    assert report.notes == []


def test_a_postgresql_database_is_read_like_an_sqlite_one(
    database: Database, empty_pg_url: str
) -> None:
    report = move(database, furnished(Shop(empty_pg_url)))
    assert counts(report) == ALL
    assert [(each.table, each.what, each.ours) for each in report.sums] == SUMS
    first = rows(database, Usage)[0]
    assert (first.occurred_at, first.cost) == (
        datetime(2026, 10, 10, 10, tzinfo=UTC),
        Decimal("0.29"),
    )
    [subscription, _] = rows(database, Subscription)
    assert (subscription.stripe_subscription_id, subscription.meta) == ("sub_1", {"note": "vip"})


def test_the_same_import_again_changes_nothing(any_database: Database, shop: Shop) -> None:
    move(any_database, furnished(shop))
    before = everything(any_database)
    report = move(any_database, shop, now=NOW + timedelta(hours=1))
    assert everything(any_database) == before
    assert counts(report) == {name: (0, new, 0) for name, (new, _, _) in ALL.items()}
    assert [(each.table, each.what, each.ours) for each in report.sums] == SUMS


def test_a_dry_run_tells_the_same_and_changes_nothing(database: Database, shop: Shop) -> None:
    before = everything(database)
    report = move(database, furnished(shop), dry_run=True)
    assert counts(report) == ALL
    assert [(each.table, each.what, each.ours) for each in report.sums] == SUMS
    assert everything(database) == before


def test_their_database_is_not_changed(database: Database, shop: Shop) -> None:
    furnished(shop)
    with open(shop.url.removeprefix("sqlite:///"), "rb") as file:
        before = file.read()
    move(database, shop)
    with open(shop.url.removeprefix("sqlite:///"), "rb") as file:
        assert file.read() == before


def test_a_later_import_adds_what_is_new_there(database: Database, shop: Shop) -> None:
    move(database, furnished(shop))
    shop.add("ai_usages", total_tokens=50, total_cost="0.02")
    shop.add("ai_overages", tokens=50, cost="0.02")
    shop.add("ai_credit_transactions", amount="1.25", direction="debit")
    shop.execute("UPDATE ai_credit_wallets SET balance = 8.25")
    report = move(database, shop)
    assert [each.imported for each in report.tables] == [0, 0, 0, 1, 1, 0, 1]
    assert [overage.status for overage in rows(database, Overage)] == ["synced", "open", "frozen"]
    assert [counter.tokens for counter in rows(database, UsageCounter)] == [1200, 1150]


def test_what_was_used_counts_towards_the_limit_and_charges_nothing(
    database: Database, shop: Shop
) -> None:
    move(database, furnished(shop))
    counters = rows(database, UsageCounter)
    assert [(counter.tokens, counter.requests, counter.cost) for counter in counters] == [
        (1200, 2, Decimal("0.390001")),
        (1100, 2, Decimal("0.37")),
    ]
    assert {usage.charge for usage in rows(database, Usage)} == {Decimal(0)}
    assert rows(database, DomainEvent) == []


def test_from_the_import_on_only_what_is_used_beyond_is_charged(
    database: Database, shop: Shop
) -> None:
    move(database, furnished(shop))  # 1,100 of 1,000 tokens are used, 0.07 of overage unsynced
    use(database, 500)
    [_, current] = rows(database, Overage)
    assert (current.status, current.amount) == ("open", Decimal("0.075"))  # 500 at 0.01 per 1,000
    use(database, 100, NOW - timedelta(days=20))  # late: in October, whose overage was synced there
    assert [overage.amount for overage in rows(database, Overage)] == [
        Decimal("0.100001"),
        Decimal("0.075"),
        Decimal("0.001"),
    ]
    assert rows(database, DomainEvent) == []  # the limits were reached, and told, there
    assert run_audit(database).adds_up


def test_below_the_limit_only_the_excess_over_it_is_charged(database: Database, shop: Shop) -> None:
    shop.add("ai_plans", monthly_token_limit=1000, overage_price_per_1k_tokens="0.01")
    shop.add("ai_subscriptions")
    shop.add("ai_usages", total_tokens=900, total_cost="5")
    move(database, shop)
    use(database, 300)
    assert [overage.amount for overage in rows(database, Overage)] == [Decimal("0.002")]
    assert run_audit(database).adds_up


def test_a_synced_overage_is_never_sent_and_an_unsynced_one_once(
    database: Database, sandbox: SandboxControl, shop: Shop
) -> None:
    world = World(database, sandbox, sandbox_settings(sandbox.url))
    furnished(shop)
    shop.execute("UPDATE ai_subscriptions SET meta = :m WHERE id = 1",
                 m=f'{{"stripe_customer_id": "{world.customer()}"}}')  # fmt: skip
    move(database, shop)
    world.sync()
    world.sync()
    assert world.charged() == [7]
    assert world.statuses() == ["synced", "synced"]
    assert [overage.external_item_id for overage in world.overages] == ["ii_1", None]
    report = move(database, shop)
    assert report.rows_left_out == 0
    world.sync()
    assert world.charged() == [7]
    world.close()


def test_what_was_charged_there_after_the_import_is_told_and_not_taken(
    database: Database, shop: Shop
) -> None:
    move(database, furnished(shop))
    shop.execute("UPDATE ai_overages SET synced_at = '2026-11-16 00:00:00',"
                 " stripe_invoice_item_id = 'ii_2' WHERE id = 2")  # fmt: skip
    shop.execute("UPDATE ai_usages SET total_cost = 9 WHERE id = 1")
    shop.execute("UPDATE ai_subscriptions SET ends_at = '2026-11-16 00:00:00' WHERE id = 1")
    before = everything(database)
    report = move(database, shop, now=NOW + timedelta(days=2))
    assert reasons(report) == [
        ("ai_subscriptions", "it was imported before, and changed there since", 1, "1"),
        ("ai_usages", "it was imported before, and changed there since", 1, "1"),
        ("ai_overages", CHARGED_SINCE, 1, "2"),
    ]  # fmt: skip
    assert everything(database) == before


def test_sums_that_differ_keep_nothing(
    database: Database, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything(database)
    monkeypatch.setattr(imports, "imported_charges", lambda *_: {})
    report = import_laravel(database, CHARGING, furnished(shop).url, Options({}, UTC), now=NOW)
    assert not report.adds_up
    assert [(each.what, each.difference) for each in report.sums if each.difference] == [
        ("synced", Decimal("-0.100001")),
        ("unsynced", Decimal("-0.07")),
    ]
    assert everything(database) == before


def test_what_was_pruned_here_does_not_come_back(database: Database, shop: Shop) -> None:
    settings = Settings(prune_after_days=40)
    furnished(shop)
    shop.execute("UPDATE ai_usages SET occurred_at = '2026-09-10 10:00:00' WHERE id <= 2")
    shop.execute("DELETE FROM ai_overages")
    move(database, shop)
    before = horizon(settings, timedelta(days=40), now=NOW)
    later = prune(database, settings, plan_prune(database, settings, before, now=NOW), now=NOW)
    assert later.pruned == 2
    report = move(database, shop)
    [(table, reason, count, ids)] = reasons(report)
    assert (table, count, ids) == ("ai_usages", 2, "1, 2")
    assert reason == ("it occurred before 2026-10-06T00:00:00Z, until when usages were pruned here")
    assert report.sums[0].left_out == Decimal("0.390001")


def test_a_row_that_was_not_read_does_not_add_up() -> None:
    report = Reconciliation("shop", dry_run=False)
    tally = report.table("ai_usages")
    tally.rows, tally.read = 2, 1
    assert not report.adds_up
    tally.read = 2
    assert report.adds_up


def test_many_reasons_are_told_as_one() -> None:
    report = Reconciliation("shop", dry_run=False)
    for number in range(150):
        report.leave_out("ai_usages", number, f"it costs {number}")
    assert len(report.left_out) == 101
    assert (report.left_out[-1].reason, report.left_out[-1].rows) == ("other reasons", 50)
    assert report.left_out[-1].ids == "100, 101, 102, 103, 104 and 45 more"
    assert report.rows_left_out == 150


def test_who_was_anonymized_here_does_not_come_back(database: Database, shop: Shop) -> None:
    shop.add("ai_plans")
    shop.add("ai_subscriptions", ends_at="2026-11-12 00:00:00")
    shop.add("ai_usages", total_cost="0.5", meta='{"name": "Ada"}', user_id=9)
    move(database, shop)
    anonymize(database, BillableRef("user", "1"), now=NOW)
    before = everything(database)
    move(database, shop)
    assert everything(database) == before


def test_rows_that_somebody_else_made_meanwhile_are_a_conflict(
    database: Database, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.add("ai_plans")

    def late(*_: object) -> None:
        raise IntegrityError("INSERT", {}, Exception("UNIQUE"))

    monkeypatch.setattr("aimeter_cli.services.laravel.run.write_subscriptions", late)
    with pytest.raises(Conflict, match="nothing was imported"):
        move(database, shop)
    assert rows(database, Plan) == []
