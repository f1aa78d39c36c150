"""A customer that is deleted at Stripe: nothing is charged twice, lost, or stuck."""

from __future__ import annotations

from typing import Any

from aimeter_cli.services.overages.by_hand import release, retry
from tests.services.sync.test_drafts import CREATE, used_in_the_last_hour
from tests.support.renewals import follow, receive, renew, take
from tests.support.world import World


def deleted(world: World) -> dict[str, Any]:
    """The body of the event, and the customer is deleted at the sandbox, too."""
    import stripe

    [customer] = [each["id"] for each in world.sandbox.customers() if not each["deleted"]]
    http = stripe.RequestsClient(timeout=(1, 5))
    client = stripe.StripeClient(
        "sk_test_world", base_addresses={"api": world.sandbox.url}, http_client=http
    )
    client.v1.customers.delete(customer)
    http.close()  # type: ignore[no-untyped-call]
    return {"id": customer, "object": "customer"}


def with_a_new_customer(world: World) -> None:
    world.execute("UPDATE ai_subscriptions SET stripe_subscription_id = NULL")
    world.execute("UPDATE ai_billables SET stripe_customer_id = :it", it=world.customer())


def finalised(world: World) -> dict[str, Any]:
    """10.00 on an invoice that is finalised, which has not been told yet."""
    draft = renew(world, used_in_the_last_hour(world))
    take(world, "invoice.created", draft)
    world.sandbox.person_finalize(draft["customer"])
    return {**draft, "status": "open"}


def states(world: World) -> list[tuple[str, str | None]]:
    return [(item.status, item.reason) for item in world.items]


def test_what_is_invoiced_already_is_closed_and_never_charged_again(world: World) -> None:
    invoice = finalised(world)
    take(world, "customer.deleted", deleted(world))
    take(world, "invoice.finalized", invoice)
    assert (states(world), world.statuses()) == ([("closed", None)], ["synced"])
    with_a_new_customer(world)
    world.sync()
    assert world.charged() == [1000]


def test_both_events_before_what_follows_them_end_alike(world: World) -> None:
    invoice = finalised(world)
    body = deleted(world)
    follow(
        world,
        receive(world, "customer.deleted", body),
        receive(world, "invoice.finalized", invoice),
    )
    assert (states(world), world.statuses()) == ([("closed", None)], ["synced"])


def test_what_no_invoice_will_take_is_held_by_the_next_run(world: World) -> None:
    """In a period that goes on; a process died before it did what follows the event."""
    used_in_the_last_hour(world)
    world.sync()
    receive(world, "customer.deleted", deleted(world))
    report = world.sync()
    assert (states(world), world.statuses()) == ([("held", "deleted_at_stripe")], ["held"])
    assert "deleted or changed" in " ".join(report.notices)
    [blocked] = report.blocked
    command = "aimeter subscriptions set-stripe-ids user:42 --customer cus_…; then "
    assert blocked.hint.startswith(command)
    with_a_new_customer(world)
    release(world.database, [world.overages[0].id], now=world.now)
    assert (world.sync().synced, world.charged()) == (1, [1000, 1000])


def test_a_request_that_never_arrived_gives_its_overages_back(world: World) -> None:
    used_in_the_last_hour(world)
    world.sandbox.add_fault(f"reset:{CREATE},nth=1")
    assert world.sync().unknown == 1
    receive(world, "customer.deleted", deleted(world))
    world.time_passes(24 * 3600)
    report = world.sync()
    assert (report.fault, report.unknown, states(world)) == (None, 0, [("closed", "no_customer")])
    assert [each.reason for each in report.blocked] == ["no_customer"]
    with_a_new_customer(world)
    assert (world.sync().synced, world.charged()) == (1, [1000])


def test_a_failed_create_that_is_tried_again_gives_its_overages_back(world: World) -> None:
    used_in_the_last_hour(world)
    world.sandbox.add_fault(f"400:{CREATE},nth=1")
    assert world.sync().failed == 1
    receive(world, "customer.deleted", deleted(world))
    retry(world.database, None, now=world.now)
    report = world.sync()
    assert (report.fault, [each.reason for each in report.blocked]) == (None, ["no_customer"])
    with_a_new_customer(world)
    assert (world.sync().synced, world.charged()) == (1, [1000])
