"""Runs against a sandbox that behaves: what is sent, what is counted, what is left."""

from __future__ import annotations

from decimal import Decimal
from unittest.mock import Mock

import pytest
from sqlalchemy.exc import OperationalError

from aimeter_cli.errors import ConfigurationError
from aimeter_cli.models.domain_events import DomainEvent
from aimeter_cli.models.installation import Installation
from aimeter_cli.repositories.sendable import oldest_sendable
from aimeter_cli.services.installation import pause
from aimeter_cli.services.sync import run as run_module
from aimeter_cli.services.sync.claim import claim_fresh
from aimeter_cli.services.sync.claimed import Context
from tests.support.world import NOW, World


def posts(world: World) -> list[str]:
    return [row["path"] for row in world.sandbox.ledger() if row["method"] == "POST"
            and row["path"].startswith("/v1/invoiceitems")]  # fmt: skip


def test_an_overage_becomes_one_item_and_a_second_run_sends_nothing(any_world: World) -> None:
    any_world.subscriber(plan=any_world.plan())
    any_world.use(501_000)
    first = any_world.sync()
    assert (first.selected, first.synced, first.remaining, first.exit_code) == (1, 1, 0, 0)
    second = any_world.sync()
    assert (second.selected, second.items, second.exit_code) == (0, [], 0)
    [item] = any_world.sandbox.items()
    assert (item["amount"], item["currency"]) == (1000, "usd")
    assert item["description"] == "Pro: AI usage beyond the plan, 2026-11-01 to 2026-11-30"
    [overage] = any_world.overages
    assert (overage.status, overage.amount, overage.tokens) == ("synced", Decimal(10), 500_000)
    assert any_world.items[0].stripe_item_id == item["id"]


def test_more_usage_updates_the_same_item_to_its_absolute_amount(any_world: World) -> None:
    any_world.subscriber(plan=any_world.plan())
    for tokens in (501_000, 100_000, 100_000):
        any_world.use(tokens)
        assert any_world.sync().synced == 1
    assert any_world.charged() == [1400]
    [item] = any_world.items
    assert (
        posts(any_world) == ["/v1/invoiceitems"] + [f"/v1/invoiceitems/{item.stripe_item_id}"] * 2
    )
    assert (item.version, item.confirmed_minor, item.status) == (3, 1400, "idle")


def test_the_limit_counts_overages_and_takes_the_oldest(world: World) -> None:
    plan = world.plan()
    for n in range(5):
        world.subscriber(f"user:{n}", plan=plan)
        world.use(11_000, f"user:{n}")
    report = world.sync(limit=2)
    assert (report.selected, report.synced, report.remaining) == (2, 2, 3)
    assert world.statuses() == ["synced", "synced", "open", "open", "open"]


def test_rows_that_cannot_be_sent_do_not_starve_the_others(world: World) -> None:
    """Pitfall 2: ten dead rows at the head would fill the limit for ever."""
    plan = world.plan()
    for n in range(10):
        world.subscriber(f"dead:{n}", plan=plan, customer=None)
        world.use(11_000, f"dead:{n}")
    world.subscriber(plan=plan)
    world.use(11_000)
    report = world.sync(limit=5)
    assert (report.selected, report.synced, report.remaining) == (1, 1, 0)
    [blocked] = report.blocked
    assert (blocked.reason, blocked.count) == ("no_customer", 10)
    assert blocked.hint.startswith("aimeter subscriptions set-stripe-ids")
    assert report.exit_code == 0


def test_fractions_of_a_cent_are_carried_until_they_make_one(world: World) -> None:
    """Pitfall 1: nothing is dropped, nothing is rounded twice."""
    world.subscriber(plan=world.plan(overage_price_per_1k_tokens=Decimal("0.004")))
    world.use(2_000)  # 0.004 USD beyond
    report = world.sync()
    assert (report.selected, report.carried, posts(world)) == (0, 1, [])
    assert world.statuses() == ["carried"]
    world.use(2_000)  # 0.012 USD beyond
    report = world.sync()
    assert (report.synced, world.charged()) == (1, [1])
    assert world.statuses() == ["synced", "synced"]


def test_the_rest_of_a_closed_item_goes_into_the_next_one(world: World) -> None:
    world.subscriber(plan=world.plan(overage_price_per_1k_tokens=Decimal("0.005")))
    world.use(4_000)  # 0.015
    world.sync()
    customer = world.sandbox.items()[0]["customer"]
    world.sandbox.person_finalize(customer)
    world.use(3_000)  # 0.015 more: with the rest, 0.02
    report = world.sync()
    assert (report.synced, report.closed) == (1, 1)
    assert world.charged() == [1, 2]
    old, new = world.items
    assert (old.status, old.carry_out, old.carried_to_id) == ("closed", Decimal("0.005"), new.id)
    assert (new.sequence, new.confirmed_minor, new.period_start) == (2, 2, old.period_start)


def test_an_item_of_a_past_period_that_never_reached_a_cent_passes_its_rest_on(
    world: World,
) -> None:
    from datetime import UTC, datetime

    world.subscriber(plan=world.plan(overage_price_per_1k_tokens=Decimal("0.006")))
    world.use(2_000)
    assert world.sync().carried == 1
    world.now = datetime(2026, 12, 10, tzinfo=UTC)
    world.use(2_000)
    assert world.sync().synced == 1
    old, new = world.items
    assert (old.status, old.final_minor, old.carried_to_id) == ("closed", 0, new.id)
    assert world.charged() == [1]


def test_an_item_is_closed_once_its_period_is_over_and_its_invoice_is_finalised(
    world: World,
) -> None:
    from datetime import timedelta

    world.subscriber(plan=world.plan())
    world.use(501_000)
    world.sync()
    world.sandbox.person_finalize(world.sandbox.items()[0]["customer"])
    assert world.sync().closed == 0  # within the period nobody asks
    world.now += timedelta(days=20)
    world.time_passes(3700)
    assert world.sync().closed == 1
    [item] = world.items
    assert (item.status, item.final_minor, item.carry_out) == ("closed", 1000, Decimal(0))


@pytest.mark.parametrize(
    ("currency", "price", "minor"),
    [("jpy", "3", 300), ("usd", "0.0299", 299), ("kwd", "0.01239", 1230), ("isk", "2.5", 25_000)],
)
def test_amounts_are_in_the_minor_unit_of_the_currency_rounded_down(
    world: World, currency: str, price: str, minor: int
) -> None:
    plan = world.plan(currency=currency, overage_price_per_1k_tokens=Decimal(price))
    world.subscriber(plan=plan)
    world.use(101_000)
    assert world.sync().synced == 1
    assert world.charged() == [minor]


def test_an_overage_is_converted_into_the_customers_currency_with_the_rate_pinned(
    world: World,
) -> None:
    from dataclasses import replace

    world.settings = replace(world.settings, currency_rates={"usd_eur": Decimal("0.85")})
    world.subscriber(plan=world.plan(), currency="eur")
    world.use(501_000)
    assert world.sync().synced == 1
    assert [(i["amount"], i["currency"]) for i in world.sandbox.items()] == [(850, "eur")]
    [overage] = world.overages
    assert (overage.charge_amount, overage.charge_currency) == (Decimal("8.5"), "eur")
    assert (overage.exchange_rate, overage.exchange) == (
        Decimal("0.85"),
        "usd/eur 0.85 (configuration)",
    )


def test_without_a_rate_the_row_waits_and_says_which_rate_is_missing(world: World) -> None:
    """Pitfall 25: never 1:1."""
    from dataclasses import replace

    world.subscriber(plan=world.plan(), currency="eur")
    world.use(501_000)
    for _ in range(2):
        report = world.sync()
        assert (report.selected, report.exit_code, world.charged()) == (0, 0, [])
        [blocked] = report.blocked
        assert (blocked.reason, blocked.detail) == ("needs_rate", "no rate from usd to eur")
        assert world.statuses() == ["needs_rate"]
    world.settings = replace(world.settings, currency_rates={"usd_eur": Decimal("0.5")})
    assert (world.sync().synced, world.charged()) == (1, [500])


def test_a_dry_run_shows_exactly_what_would_be_sent_and_changes_nothing(world: World) -> None:
    world.subscriber(plan=world.plan())
    world.use(501_000)
    report = world.sync(dry_run=True)
    assert (report.selected, report.deferred, report.remaining) == (1, 1, 1)
    planned = report.items[0].request
    assert planned is not None
    assert (planned["method"], planned["path"]) == ("POST", "/v1/invoiceitems")
    assert (world.statuses(), world.items, world.charged()) == (["open"], [], [])
    world.sync()
    [sent] = [r for r in world.sandbox.ledger() if r["path"] == "/v1/invoiceitems"]
    form = dict(sent["form"])
    assert form["amount"] == str(planned["params"]["amount"])
    assert form["customer"] == planned["params"]["customer"]


def test_the_null_driver_sends_nothing_marks_nothing_and_says_how_to_set_one(
    world: World,
) -> None:
    from aimeter_cli.billing.null import NullDriver

    world.subscriber(plan=world.plan())
    world.use(501_000)
    world.driver = NullDriver(world.settings)
    with pytest.raises(ConfigurationError) as told:
        world.sync()
    assert told.value.exit_code == 4
    assert "AI_METERING_BILLING_DRIVER=stripe" in str(told.value.hint)
    assert world.statuses() == ["open"]


def test_a_paused_sync_says_so_and_sends_nothing(world: World) -> None:
    world.subscriber(plan=world.plan())
    world.use(501_000)
    pause(world.database, "moving house", now=NOW)
    report = world.sync()
    assert (report.selected, report.remaining, report.exit_code) == (0, 1, 0)
    assert report.notices == ["sync is paused: moving house; aimeter sync resume ends it"]
    assert world.charged() == []


def test_the_item_belongs_to_the_subscription_and_carries_our_mark(world: World) -> None:
    from dataclasses import replace

    import stripe

    world.settings = replace(
        world.settings, stripe_invoice_item={"tax_behavior": "exclusive", "discountable": False}
    )
    plan, customer = world.plan(), world.customer()
    world.sandbox.define_price("price_pro")
    http = stripe.RequestsClient(timeout=(1, 5))
    client = stripe.StripeClient(
        "sk_test_1", base_addresses={"api": world.sandbox.url}, http_client=http
    )
    at_stripe = client.v1.subscriptions.create(
        {"customer": customer, "items": [{"price": "price_pro"}]}
    ).id
    http.close()  # type: ignore[no-untyped-call]
    world.subscriber(plan=plan, customer=customer, stripe_subscription_id=at_stripe)
    world.use(501_000)
    assert world.sync().synced == 1
    [item] = [i for i in world.sandbox.items() if i["metadata"].get("aimeter_item")]
    assert item["parent"]["subscription_details"]["subscription"] == at_stripe
    assert item["metadata"]["aimeter_version"] == "1"
    assert item["metadata"]["aimeter_billable"] == "user:42"
    assert item["discountable"] is False


def test_overage_charged_is_told_once_per_settlement(world: World) -> None:
    world.subscriber(plan=world.plan())
    world.use(501_000)
    world.sync()
    world.sync()
    charged = [event for event in world.rows(DomainEvent) if event.name == "OverageCharged"]
    assert len(charged) == 1
    assert '"amount_minor": 1000' in charged[0].payload


def test_usage_between_claim_and_settle_is_neither_lost_nor_charged_twice(world: World) -> None:
    """Pitfalls 4, 5 and 9: a claimed overage is immutable, later usage opens another one."""
    from aimeter_cli.billing.base import ItemRequest, Reply

    world.subscriber(plan=world.plan())
    world.use(501_000)
    real = world.driver
    late: list[object] = []

    class Meanwhile:
        name, livemode = "meanwhile", False

        def __getattr__(self, name: str) -> object:
            return getattr(real, name)

        def send(self, request: ItemRequest) -> Reply:
            if not late:
                late.append(world.use(50_000))
            return real.send(request)

    world.driver = Meanwhile()  # type: ignore[assignment]
    assert world.sync().synced == 1
    assert [(o.status, o.amount) for o in world.overages] == [
        ("synced", Decimal(10)),
        ("open", Decimal(1)),
    ]
    assert world.charged() == [1000]
    world.sync()
    world.driver = real
    assert (world.charged(), world.statuses()) == ([1100], ["synced", "synced"])


def test_an_item_whose_transaction_lost_a_deadlock_is_left_to_the_next_run(
    any_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Deadlock(Exception):
        sqlstate = "40P01"

    any_world.subscriber(plan=any_world.plan())
    any_world.use(501_000)
    with monkeypatch.context() as patch:
        lost = OperationalError("SELECT", {}, Deadlock())
        patch.setattr(run_module, "claim_fresh", Mock(side_effect=lost))
        report = any_world.sync()
    assert (report.exit_code, report.fault, report.remaining) == (3, None, 1)
    assert any_world.sync().synced == 1


@pytest.mark.parametrize("limit", [2, 1])
def test_what_came_while_an_item_was_in_hand_goes_with_the_run_that_settles_it(
    world: World, limit: int
) -> None:
    world.subscriber(plan=world.plan())
    world.use(3_000)
    world.sandbox.add_fault("lost:path=/v1/invoiceitems,method=POST,times=1")
    world.sync()
    world.use(1_000)
    report = world.sync(limit=limit)
    assert report.remaining == 2 - limit
    assert world.charged() == ([6] if limit == 2 else [4])


def test_what_another_run_has_in_hand_is_told_with_the_end_of_its_lease(world: World) -> None:
    world.subscriber(plan=world.plan())
    world.use(501_000)
    context = Context.of(
        world.rows(Installation)[0], world.database, world.settings, run_id="killed", now=NOW,
        dry_run=False,
    )  # fmt: skip
    with world.database.read() as session:
        [(key, ids)] = oldest_sendable(session, 10).items()
    claim_fresh(context, key, ids)
    report = world.sync()
    assert (report.selected, report.remaining) == (0, 1)
    [notice] = report.notices
    assert notice.startswith("1 overage(s) are in the hands of another run")
