"""A subscription that ends with pending overage: invoiced, kept, waived, or held if unpaid."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from aimeter_cli.domain.endings import ending
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.errors import Conflict
from aimeter_cli.models.domain_events import DomainEvent
from aimeter_cli.models.final_invoices import FinalInvoice
from aimeter_cli.models.installation import Installation
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.repositories.final_invoices import ended_with_pending, uninvoiced
from aimeter_cli.services.audit.run import run_audit
from aimeter_cli.services.billables import update_billable
from aimeter_cli.services.overages import by_hand
from aimeter_cli.services.sync import run as run_module
from aimeter_cli.services.sync.claimed import Context
from aimeter_cli.services.sync.finals.claim import claim_new
from aimeter_cli.services.sync.finals.policy import Ended
from aimeter_cli.services.sync.report import Report
from tests.support.world import NOW, World

ENDED = NOW + timedelta(days=1)
CREATE = "path=/v1/invoices,method=POST"
ADD = "path=/v1/invoices/*/add_lines,method=POST"
UPDATE = "path=/v1/invoiceitems/*,method=POST"
FINALIZE = "path=/v1/invoices/*/finalize,method=POST"


def pending(world: World, ref: str = "user:42", **values: Any) -> None:
    """Ten dollars on a pending item, and a subscription that ends tomorrow."""
    plan = world.plan(ref.replace(":", "-"))
    world.subscriber(ref, plan=plan, ends_at=ENDED, **values)
    world.use(501_000, ref)
    assert world.sync().exit_code == 0


def end(world: World) -> None:
    world.now = ENDED + timedelta(hours=1)


def invoices(world: World) -> list[tuple[str, int]]:
    return [(invoice["status"], invoice["total"]) for invoice in world.sandbox.invoices()]


def finals(world: World) -> list[str]:
    return [row.status for row in world.rows(FinalInvoice)]


@pytest.mark.parametrize("policy", ["invoice", "keep", "waive"])
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, None),
        ({"ends_at": NOW + timedelta(days=1)}, None),
        ({"ends_at": NOW}, "policy"),
        ({"ends_at": NOW, "cancellation_reason": "cancellation_requested"}, "policy"),
        ({"ends_at": NOW, "cancellation_reason": "payment_failed"}, "hold"),
        ({"ends_at": NOW, "cancellation_reason": "payment_disputed"}, "hold"),
        ({"grace_period_ends_at": NOW}, "hold"),
        ({"expired_at": NOW}, "hold"),
    ],
)
def test_what_becomes_of_it(policy: str, values: dict[str, Any], expected: str | None) -> None:
    facts = Subscription(started_at=datetime(2026, 1, 1, tzinfo=UTC), **values)
    assert ending(facts, NOW, policy) == (policy if expected == "policy" else expected)


def test_while_it_lives_nothing_is_invoiced(world: World) -> None:
    pending(world)
    world.sync()
    assert (invoices(world), finals(world)) == ([], [])


def test_a_final_invoice_takes_the_pending_items_and_is_finalised(world: World) -> None:
    pending(world)
    end(world)
    report = world.sync()
    assert (report.exit_code, [line.status for line in report.final_invoices]) == (0, ["done"])
    assert [(line.amount_minor, line.overages) for line in report.final_invoices] == [(1000, (1,))]
    [invoice] = world.sandbox.invoices()
    assert (invoice["status"], invoice["total"], invoice["auto_advance"]) == ("open", 1000, True)
    assert [(item.status, item.final_minor) for item in world.items] == [("closed", 1000)]
    kinds = [attempt.kind for attempt in world.attempts]
    assert kinds == ["create", "create_invoice", "add_lines", "finalize"]
    assert {attempt.outcome for attempt in world.attempts} == {"done"}
    assert world.sync().final_invoices == []
    assert len(world.sandbox.invoices()) == 1


def test_only_our_items_are_on_it(world: World) -> None:
    pending(world)
    customer = world.items[0].stripe_customer_id
    import stripe

    http = stripe.RequestsClient(timeout=(1, 5))
    client = stripe.StripeClient(
        "sk_test_world", base_addresses={"api": world.sandbox.url}, http_client=http
    )
    client.v1.invoice_items.create({"customer": str(customer), "amount": 77, "currency": "usd"})
    http.close()  # type: ignore[no-untyped-call]
    end(world)
    world.sync()
    assert invoices(world) == [("open", 1000)]
    assert world.charged() == [77, 1000]


def test_the_last_usage_is_sent_before_the_invoice_is_made(world: World) -> None:
    pending(world)
    world.use(100_000)
    end(world)
    world.sync()
    assert invoices(world) == [("open", 1200)]


def test_usage_that_comes_in_late_gets_an_invoice_of_its_own(world: World) -> None:
    pending(world)
    end(world)
    world.sync()
    world.use(50_000, occurred_at=(ENDED - timedelta(hours=1)).isoformat())
    world.sync()
    world.sync()
    assert sorted(total for _, total in invoices(world)) == [100, 1000]
    assert set(world.statuses()) == {"synced"}


def test_every_currency_has_an_invoice_of_its_own_and_other_subscriptions_none(
    world: World,
) -> None:
    pending(world)
    pending(world, "user:43", currency=None)
    world.execute("UPDATE ai_subscriptions SET ends_at = NULL WHERE id = 2")
    end(world)
    world.sync()
    assert invoices(world) == [("open", 1000)]


def test_kept_overage_stays_pending(world: World) -> None:
    world.settings = replace(world.settings, on_subscription_end="keep")
    pending(world)
    end(world)
    assert world.sync().exit_code == 0
    assert (invoices(world), world.charged(), world.statuses()) == ([], [1000], ["synced"])


def test_waived_overage_is_taken_off_the_item(world: World) -> None:
    world.settings = replace(world.settings, on_subscription_end="waive")
    pending(world)
    world.use(100_000)
    end(world)
    report = world.sync()
    assert report.notices[0] == "2 overage(s) of ended subscriptions were waived"
    assert (invoices(world), world.charged(), set(world.statuses())) == ([], [0], {"waived"})


@pytest.mark.parametrize("policy", ["invoice", "keep", "waive"])
def test_who_did_not_pay_is_held_until_released(world: World, policy: str) -> None:
    world.settings = replace(world.settings, on_subscription_end=policy)
    pending(world, cancellation_reason="payment_failed")
    world.use(100_000)
    end(world)
    report = world.sync()
    assert report.exit_code == 3
    assert "2 overage(s) were held" in report.notices[0]
    assert "--status held" in report.hint
    assert run_audit(world.database, driver=world.driver).adds_up
    assert (invoices(world), world.charged(), world.statuses()) == ([], [1000], ["held"] * 2)
    assert "OverageSyncFailed" in [event.name for event in world.rows(DomainEvent)]
    assert world.sync().exit_code == 0  # told once
    by_hand.release(world.database, [1, 2], now=world.now)
    assert world.sync().exit_code == 0
    assert (invoices(world), set(world.statuses())) == ([("open", 1200)], {"synced"})


def test_what_is_held_for_non_payment_can_be_waived(world: World) -> None:
    pending(world, cancellation_reason="payment_failed")
    end(world)
    world.sync()
    by_hand.waive(world.database, [1], reason="written off", now=world.now)
    assert world.sync().exit_code == 0
    assert (world.charged(), world.statuses(), invoices(world)) == ([0], ["waived"], [])


@pytest.mark.parametrize("where", [CREATE, ADD, FINALIZE])
@pytest.mark.parametrize(
    "fault",
    ["lost", "reset", "truncate", "500_before", "500_after", "502", "502_late", "409", "429",
     "lock_timeout"],
)  # fmt: skip
def test_each_step_survives_each_fault(world: World, where: str, fault: str) -> None:
    pending(world)
    end(world)
    world.sandbox.add_fault(f"{fault}:{where},nth=1")
    report = world.sync()
    if fault in ("lost", "reset", "truncate", "502", "500_before", "502_late"):
        assert report.exit_code == 3
    for _ in range(4):
        world.sandbox.wait_until_settled()
        world.time_passes(60)
        world.sync()
    assert invoices(world) == [("open", 1000)]
    assert (finals(world), world.sync().exit_code) == (["done"], 0)


@pytest.mark.parametrize("where", [CREATE, ADD, FINALIZE])
def test_a_forgotten_key_is_looked_up(world: World, where: str) -> None:
    pending(world)
    end(world)
    world.sandbox.add_fault(f"lost:{where},nth=1")
    world.sync()
    world.sandbox.set(key_retention=1)
    world.sandbox.move_clock(30 * 3600)
    world.time_passes(30 * 3600)
    for _ in range(3):
        world.sync()
    assert (invoices(world), finals(world)) == ([("open", 1000)], ["done"])


@pytest.mark.parametrize("where", [CREATE, ADD, FINALIZE])
def test_a_refused_step_waits_for_an_operator(world: World, where: str) -> None:
    pending(world)
    end(world)
    world.sandbox.add_fault(f"400:{where},nth=1,stored=no,message=No such thing")
    report = world.sync()
    assert (report.exit_code, finals(world)) == (3, ["failed"])
    assert "No such thing" in (report.final_invoices[0].error or "")
    report = world.sync()
    assert (report.exit_code, report.final_invoices) == (0, [])
    assert [entry.reason for entry in report.blocked] == ["invoice_failed"]
    by_hand.retry(world.database, [1], now=world.now)
    for _ in range(2):
        world.sync()
    assert (invoices(world), finals(world)) == ([("open", 1000)], ["done"])


def test_a_draft_that_a_person_deleted_is_made_again_once_released(world: World) -> None:
    pending(world)
    end(world)
    world.sandbox.add_fault(f"reset:{ADD},nth=1")
    world.sync()
    [invoice] = world.sandbox.invoices()
    import stripe

    http = stripe.RequestsClient(timeout=(1, 5))
    client = stripe.StripeClient(
        "sk_test_world", base_addresses={"api": world.sandbox.url}, http_client=http
    )
    client.v1.invoices.delete(invoice["id"])
    http.close()  # type: ignore[no-untyped-call]
    world.time_passes(60)
    report = world.sync()
    assert (report.exit_code, finals(world)) == (3, ["held"])
    assert [entry.reason for entry in report.blocked] == ["invoice_held"]
    by_hand.release(world.database, [1], now=world.now)
    world.sync()
    assert [row["status"] for row in world.sandbox.invoices() if not row["deleted"]] == ["open"]
    assert finals(world) == ["done", "done"]


def test_items_that_a_person_invoiced_first_are_not_invoiced_twice(world: World) -> None:
    pending(world)
    end(world)
    world.sandbox.add_fault(f"finalize:{ADD},nth=1")
    report = world.sync()
    assert report.exit_code in (0, 3)
    for _ in range(3):
        world.time_passes(60)
        world.sync()
    assert sorted(invoices(world)) == [("open", 1000), ("paid", 0)]
    assert [(item.status, item.final_minor) for item in world.items] == [("closed", 1000)]
    assert (finals(world), set(world.statuses())) == (["done"], {"synced"})


def test_waiving_while_the_draft_waits_lowers_it_before_it_is_finalised(world: World) -> None:
    pending(world)
    world.use(100_000)
    end(world)
    world.sandbox.add_fault(f"409:{FINALIZE},nth=1")
    world.sync()
    assert invoices(world) == [("draft", 1200)]
    by_hand.waive(world.database, [2], reason="goodwill", now=world.now)
    world.sync()
    assert invoices(world)[0][1] == 1000
    for _ in range(2):
        world.time_passes(60)
        world.sync()
    assert invoices(world) == [("open", 1000)]


def test_a_dry_run_makes_no_invoice_and_waives_nothing(world: World) -> None:
    pending(world, cancellation_reason="payment_failed")
    end(world)
    report = world.sync(dry_run=True)
    assert "1 overage(s) would be held" in report.notices[0]
    assert (invoices(world), world.statuses(), report.exit_code) == ([], ["synced"], 0)


def test_a_dry_run_shows_the_invoice_that_would_be_made(world: World) -> None:
    pending(world)
    end(world)
    [line] = world.sync(dry_run=True).final_invoices
    assert (line.status, line.amount_minor, line.overages) == ("planned", 1000, (1,))
    assert (invoices(world), finals(world)) == ([], [])


def test_nothing_is_invoiced_while_some_of_it_is_under_way(world: World) -> None:
    pending(world)
    world.use(100_000)
    end(world)
    world.sandbox.add_fault(f"reset:{UPDATE},nth=1")
    assert world.sync().exit_code == 3
    assert invoices(world) == []
    world.time_passes(60)
    world.sync()
    assert invoices(world) == [("open", 1200)]


def test_nothing_is_invoiced_while_some_of_it_waits_for_a_rate(world: World) -> None:
    pending(world)
    world.execute("UPDATE ai_subscriptions SET ends_at = NULL")
    world.use(100_000)
    world.execute("UPDATE ai_overages SET status = 'needs_rate' WHERE id = 2")
    world.execute("UPDATE ai_billables SET currency = 'eur'")
    world.execute("UPDATE ai_subscriptions SET ends_at = :t", t=ENDED)
    end(world)
    world.sync()
    assert invoices(world) == []


def test_a_draft_is_not_finalised_while_an_amount_on_it_is_disputed(world: World) -> None:
    pending(world)
    world.use(100_000)
    end(world)
    world.sandbox.add_fault(f"409:{FINALIZE},nth=1")
    world.sync()
    by_hand.waive(world.database, [2], reason="goodwill", now=world.now)
    world.sandbox.add_fault(f"reset:{UPDATE},nth=1")
    world.time_passes(60)
    world.sync()
    assert invoices(world) == [("draft", 1200)]
    for _ in range(2):
        world.time_passes(60)
        world.sync()
    assert invoices(world) == [("open", 1000)]


def test_who_turns_out_unpaid_in_the_middle_of_a_run_is_not_invoiced(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    pending(world, cancellation_reason="payment_failed")
    end(world)
    with monkeypatch.context() as patch:  # as if it had ended right after the policy was applied
        patch.setattr(run_module, "apply_policy", lambda *_: Ended())
        world.sync()
    assert invoices(world) == []
    world.sync()
    assert world.statuses() == ["held"]


def test_what_was_held_as_unpaid_is_charged_once_the_subscription_is_paid_and_goes_on(
    any_world: World,
) -> None:
    world = any_world
    pending(world)
    world.use(100_000)  # 2.00 more, not sent yet
    world.execute("UPDATE ai_subscriptions SET expired_at = :at", at="2026-11-15 11:00:00.000000")
    world.sync()
    assert world.statuses() == ["held", "held"]
    world.execute("UPDATE ai_subscriptions SET expired_at = NULL")
    world.sync()
    assert world.statuses() == ["synced", "synced"]
    assert world.charged() == [1200]
    assert adds_up(world)


def stripe_client(world: World) -> Any:
    import stripe

    return stripe.StripeClient("sk_test_world", base_addresses={"api": world.sandbox.url})


def rounds(world: World, count: int = 4) -> Report:
    for _ in range(count):
        world.time_passes(60)
        report = world.sync()
    return report


def adds_up(world: World) -> bool:
    return run_audit(world.database, driver=world.driver).differences == []


def test_nothing_can_be_waived_while_its_invoice_may_be_finalised(world: World) -> None:
    pending(world)
    end(world)
    world.sandbox.add_fault(f"lost:{FINALIZE},nth=1")
    world.sync()
    with pytest.raises(Conflict, match="being finalised"):
        by_hand.waive(world.database, [1], reason="too late", now=world.now)
    rounds(world, 2)
    assert (invoices(world), adds_up(world)) == ([("open", 1000)], True)


@pytest.mark.parametrize("where", [CREATE, ADD, FINALIZE])
def test_a_failed_invoice_whose_overage_moved_to_another_customer_holds_nothing_up(
    any_world: World, where: str
) -> None:
    pending(any_world)
    end(any_world)
    any_world.sandbox.add_fault(f"400:{where},nth=1,stored=no")
    any_world.sync()
    new = any_world.customer()
    update_billable(
        any_world.database, BillableRef.parse("user:42"), {"stripe_customer_id": new},
        now=any_world.now, force=True,
    )  # fmt: skip
    report = rounds(any_world)
    assert [entry.reason for entry in report.blocked] == ["invoice_failed"]
    by_hand.retry(any_world.database, None, now=any_world.now)
    rounds(any_world)
    assert ("open", 1000) in invoices(any_world)
    assert sum(total for status, total in invoices(any_world) if status == "open") == 1000


def test_a_draft_that_a_person_finalised_empty_is_made_again_once_released(world: World) -> None:
    pending(world)
    end(world)
    world.sandbox.add_fault(f"reset:{ADD},nth=1")
    world.sync()
    [invoice] = world.sandbox.invoices()
    stripe_client(world).v1.invoices.finalize_invoice(invoice["id"])
    assert [entry.reason for entry in rounds(world).blocked] == ["invoice_held"]
    by_hand.release(world.database, [1], now=world.now)
    rounds(world)
    assert sorted(invoices(world)) == [("open", 1000), ("paid", 0)]


def test_an_item_on_somebody_elses_draft_waits_until_that_is_decided(world: World) -> None:
    pending(world)
    end(world)
    world.sandbox.add_fault(f"reset:{ADD},nth=1")
    world.sync()
    [item] = world.items
    client = stripe_client(world)
    other = client.v1.invoices.create({"customer": str(item.stripe_customer_id)})
    lines = [{"invoice_item": str(item.stripe_item_id)}]
    client.v1.invoices.add_lines(other.id, {"lines": lines})
    report = rounds(world)
    assert report.exit_code == 3
    assert f"is on the draft {other.id}" in (report.final_invoices[0].error or "")
    client.v1.invoices.delete(other.id)
    rounds(world)
    assert ("open", 1000) in invoices(world)
    assert adds_up(world)


@pytest.mark.parametrize("policy", ["invoice", "waive"])
def test_a_release_of_before_the_end_does_not_invoice_who_did_not_pay(
    world: World, policy: str
) -> None:
    world.settings = replace(world.settings, on_subscription_end=policy)
    pending(world, cancellation_reason="payment_failed")
    world.execute("UPDATE ai_overages SET released_at = :t", t=NOW)  # by a guard, long ago
    end(world)
    world.sync()
    assert (invoices(world), world.statuses()) == ([], ["held"])
    by_hand.release(world.database, [1], now=world.now)
    world.sync()
    assert invoices(world) == [("open", 1000)]


def test_what_is_released_after_an_end_that_waives_is_invoiced(world: World) -> None:
    world.settings = replace(
        world.settings, on_subscription_end="waive", max_amount_per_customer=Decimal(5)
    )
    world.subscriber(plan=world.plan(), ends_at=ENDED)
    world.use(501_000)
    assert world.sync().items[0].status == "held"
    end(world)
    by_hand.release(world.database, [1], now=world.now)
    rounds(world)
    assert (invoices(world), world.statuses()) == ([("open", 1000)], ["synced"])


def test_a_subscription_that_lives_again_before_there_is_a_draft_is_not_invoiced(
    world: World,
) -> None:
    pending(world)
    end(world)
    world.sandbox.add_fault(f"409:{CREATE},nth=1")
    world.sync()
    world.execute("UPDATE ai_subscriptions SET ends_at = NULL")
    rounds(world)
    assert (invoices(world), finals(world), world.charged()) == ([], ["done"], [1000])


def test_two_runs_that_listed_the_same_subscription_begin_one_invoice(any_world: World) -> None:
    pending(any_world)
    end(any_world)
    context = Context.of(
        any_world.rows(Installation)[0], any_world.database, any_world.settings, run_id="first",
        now=any_world.now, dry_run=False,
    )  # fmt: skip
    with any_world.database.read() as session:
        [listed] = uninvoiced(session, any_world.now, None)
    assert claim_new(context, listed) is not None
    any_world.execute("UPDATE ai_invoice_items SET final_invoice_id = NULL")  # another one is ready
    assert claim_new(context, listed) is None


def test_an_idle_run_writes_nothing_for_what_is_held(world: World) -> None:
    pending(world, cancellation_reason="payment_failed")
    end(world)
    world.sync()
    with world.database.read() as session:
        assert ended_with_pending(session, world.now, None) == []
