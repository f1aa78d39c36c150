"""A renewal's draft takes what was used until its period ended, once, whatever goes wrong."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from aimeter_cli.models.subscriptions import Subscription
from tests.support.renewals import LAST_HOUR, follow, receive, renew, renewing, take
from tests.support.world import World

CREATE = "path=/v1/invoiceitems,method=POST"


def used_in_the_last_hour(world: World) -> str:
    """10.00 USD, of which Stripe knows nothing; the subscription's id at the sandbox."""
    subscription = renewing(world)
    world.now = LAST_HOUR
    world.use(501_000)
    return subscription


def drafted(world: World) -> dict[str, Any]:
    """The same, renewed, and the draft is known here; nothing has been synced."""
    draft = renew(world, used_in_the_last_hour(world))
    assert receive(world, "invoice.created", draft).follow_up == "user:42"
    return draft


def on_invoices(world: World) -> list[tuple[int, str | None]]:
    return [(item["amount"], item["invoice"]) for item in world.sandbox.items()]


def known_draft(world: World) -> str | None:
    [subscription] = world.rows(Subscription)
    found: str | None = subscription.draft_invoice_id
    return found


def test_usage_of_the_last_hour_is_on_the_invoice_that_closes_its_period(
    any_world: World,
) -> None:
    draft = renew(any_world, used_in_the_last_hour(any_world))
    assert take(any_world, "invoice.created", draft) == []
    assert on_invoices(any_world) == [(1000, draft["id"])]
    assert any_world.statuses() == ["synced"]
    assert any_world.sync().selected == 0


def test_an_item_that_the_draft_has_taken_is_raised_on_it(world: World) -> None:
    subscription = used_in_the_last_hour(world)
    world.sync()
    world.use(100_000)
    draft = renew(world, subscription)
    take(world, "invoice.created", draft)
    assert on_invoices(world) == [(1200, draft["id"])]


def test_usage_of_the_new_period_never_lands_on_the_old_draft(world: World) -> None:
    draft = renew(world, used_in_the_last_hour(world))
    world.use(501_000)  # in December
    take(world, "invoice.created", draft)
    assert sorted(on_invoices(world), key=str) == [(1000, draft["id"]), (1000, None)]
    world.use(100_000)
    world.sync()
    assert sorted(on_invoices(world), key=str) == [(1000, draft["id"]), (1200, None)]


def test_late_usage_of_the_closed_period_goes_onto_the_draft_as_long_as_it_is_open(
    world: World,
) -> None:
    draft = renew(world, used_in_the_last_hour(world))
    take(world, "invoice.created", draft)
    world.use(100_000, occurred_at=LAST_HOUR.isoformat())
    world.sync()
    assert on_invoices(world) == [(1200, draft["id"])]


def test_a_process_killed_between_event_and_sync_loses_nothing(world: World) -> None:
    draft = drafted(world)
    assert world.sandbox.items() == []
    world.sync()
    assert on_invoices(world) == [(1000, draft["id"])]


def test_two_processes_with_the_same_event_make_one_item(any_world: World) -> None:
    draft = renew(any_world, used_in_the_last_hour(any_world))
    with ThreadPoolExecutor(2) as both:
        list(both.map(lambda _: take(any_world, "invoice.created", draft), range(2)))
    assert on_invoices(any_world) == [(1000, draft["id"])]
    assert any_world.statuses() == ["synced"]


def test_a_draft_that_closes_between_claim_and_send_leaves_the_item_for_the_next_invoice(
    any_world: World,
) -> None:
    drafted(any_world)
    any_world.sandbox.add_fault(f"finalize:{CREATE},nth=1")
    report = any_world.sync()
    assert (report.synced, report.failed, report.exit_code) == (1, 0, 0)
    assert on_invoices(any_world) == [(1000, None)]
    assert [each.generation for each in any_world.attempts] == [0, 1]
    assert known_draft(any_world) is None
    assert any_world.sync().selected == 0


def test_a_request_without_an_answer_is_looked_for_before_the_item_goes_elsewhere(
    world: World,
) -> None:
    """It may have been held up, and have arrived before the draft was closed."""
    draft = drafted(world)
    world.sandbox.add_fault(f"reset:{CREATE},nth=1")
    world.sync()
    world.sandbox.person_finalize(draft["customer"])
    assert world.sync().unknown == 1
    assert (world.sandbox.items(), len(world.attempts)) == ([], 1)
    world.time_passes(3700)
    assert world.sync().synced == 1
    assert on_invoices(world) == [(1000, None)]


@pytest.mark.parametrize("hours", [0, 25])
def test_a_lost_answer_charges_once_although_the_draft_has_closed(world: World, hours: int) -> None:
    draft = drafted(world)
    world.sandbox.add_fault(f"lost:{CREATE},nth=1")
    world.sync()
    world.sandbox.person_finalize(draft["customer"])
    world.time_passes(hours * 3600)
    assert world.sync().synced == 1
    world.time_passes(3700)
    assert world.sync().closed == 1
    assert on_invoices(world) == [(1000, draft["id"])]
    assert [item.final_minor for item in world.items] == [1000]


def test_a_refused_item_is_not_tried_on_the_draft_again(world: World) -> None:
    drafted(world)
    world.sandbox.add_fault(f"400:{CREATE},times=2,stored=no")
    assert world.sync().failed == 1
    assert "invoice" not in world.attempts[-1].request
    assert len(world.attempts) == 2


def test_finalised_items_are_closed_at_once(any_world: World) -> None:
    draft = renew(any_world, used_in_the_last_hour(any_world))
    take(any_world, "invoice.created", draft)
    any_world.sandbox.person_finalize(draft["customer"])
    assert take(any_world, "invoice.finalized", {**draft, "status": "open"}) == []
    [item] = any_world.items
    assert (item.status, item.final_minor, item.stripe_invoice_id) == ("closed", 1000, draft["id"])
    assert known_draft(any_world) is None


def test_items_are_closed_by_the_next_run_if_nobody_followed_the_event(world: World) -> None:
    draft = renew(world, used_in_the_last_hour(world))
    take(world, "invoice.created", draft)
    world.sandbox.person_finalize(draft["customer"])
    receive(world, "invoice.finalized", {**draft, "status": "open"})
    assert world.sync().closed == 1  # not an hour later


def test_an_invoice_of_a_person_closes_the_item_of_the_current_period_too(world: World) -> None:
    world.subscriber(plan=world.plan())
    world.use(501_000)
    world.sync()
    [item] = world.sandbox.items()
    world.sandbox.person_finalize(item["customer"])
    [invoice] = world.sandbox.invoices()
    take(world, "invoice.finalized", invoice)
    assert [each.status for each in world.items] == ["closed"]
    world.use(100_000)
    world.sync()
    assert world.charged() == [200, 1000]


def test_a_voided_invoice_is_reported_and_charged_by_nobody_again(world: World) -> None:
    draft = renew(world, used_in_the_last_hour(world))
    take(world, "invoice.created", draft)
    world.sandbox.person_finalize(draft["customer"])
    [invoice] = world.sandbox.invoices()
    told = receive(world, "invoice.voided", {**invoice, "status": "void"})
    assert told.error is not None
    assert told.error.startswith("10.00 USD of overage was on it and is void with it")
    follow(world, told)
    assert world.sync().selected == 0
    assert (world.charged(), world.statuses()) == ([1000], ["synced"])


def test_a_deleted_item_is_held_as_if_the_sync_had_found_it_so(world: World) -> None:
    used_in_the_last_hour(world)
    world.sync()
    [item] = world.sandbox.items()
    world.sandbox.person_delete_item(item["id"])
    told = receive(world, "invoiceitem.deleted", item)
    assert [(c.field, c.before, c.after) for c in told.changes] == [
        ("status", "idle", "held"), ("reason", None, "deleted_at_stripe"),
    ]  # fmt: skip
    assert (world.statuses(), world.items[0].status) == (["held"], "held")
    world.time_passes(3700)
    assert (world.sync().selected, world.sandbox.items()) == (0, [])


def test_a_deleted_item_of_somebody_else_is_ignored(world: World) -> None:
    told = receive(world, "invoiceitem.deleted", {"id": "ii_other", "object": "invoiceitem"})
    assert (told.status, told.changes) == ("ignored", ())


def test_without_a_driver_nothing_follows_and_nothing_is_told(world: World) -> None:
    from aimeter_cli.billing.registry import make_driver

    told = receive(world, "invoice.created", renew(world, used_in_the_last_hour(world)))
    world.driver.close()
    world.driver = make_driver(replace(world.settings, billing_driver="null"))
    assert follow(world, told) == []
    assert world.statuses() == ["open"]


def test_a_key_of_the_other_mode_is_told_and_leaves_it_to_the_next_run(world: World) -> None:
    told = receive(world, "invoice.created", renew(world, used_in_the_last_hour(world)))
    world.execute("UPDATE ai_installation SET stripe_livemode = true")
    [notice] = follow(world, told)
    assert notice.startswith("not synced after the event: the key is of test mode")
    assert world.statuses() == ["open"]
