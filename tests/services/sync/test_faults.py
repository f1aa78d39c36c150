"""Runs against a sandbox that misbehaves: the customer is charged exactly once all the same.

The oracle is the sandbox: how many items there are, and what they amount to.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from aimeter_cli.billing.registry import make_driver
from aimeter_cli.models.domain_events import DomainEvent
from aimeter_cli.models.plans import Plan
from aimeter_cli.services.overages import by_hand
from tests.support.world import NOW, World

CREATE = "path=/v1/invoiceitems,method=POST,nth=1"
UPDATE = "path=/v1/invoiceitems/*,method=POST,nth=1"


def ready(world: World, ref: str = "user:42") -> World:
    plans = world.rows(Plan)
    plan = plans[0].id if plans else world.plan()
    world.subscriber(ref, plan=plan)
    world.use(501_000, ref)
    return world


@pytest.mark.parametrize(
    ("fault", "first", "status"),
    [
        ("lost", "unknown", "unknown"),
        ("truncate", "unknown", "unknown"),
        ("hang:seconds=3", "unknown", "unknown"),
        ("reset", "unknown", "unknown"),
        ("500_after", "unknown", "unknown"),
        ("500_before", "unknown", "unknown"),
        ("502", "unknown", "unknown"),
        ("lock_timeout", "unknown", "unknown"),
        ("409", "deferred", "frozen"),
        ("429:retry_after=30", "deferred", "frozen"),
    ],
)
def test_an_unsettled_create_is_settled_by_later_runs_exactly_once(
    any_world: World, fault: str, first: str, status: str
) -> None:
    ready(any_world)
    kind, _, options = fault.partition(":")
    any_world.sandbox.add_fault(f"{kind}:{CREATE}{',' + options if options else ''}")
    report = any_world.sync()
    assert (report.selected, getattr(report, first), report.exit_code) == (1, 1, 3)
    assert any_world.statuses() == [status]
    for _ in range(4):
        any_world.time_passes(60)
        any_world.sync()
    assert any_world.charged() == [1000]
    assert any_world.statuses() == ["synced"]


@pytest.mark.parametrize(
    "fault",
    ["lost", "truncate", "reset", "500_after", "500_before", "502", "lock_timeout", "409"],
)
def test_an_unsettled_update_is_settled_by_later_runs_exactly_once(
    any_world: World, fault: str
) -> None:
    ready(any_world)
    any_world.sync()
    any_world.use(100_000)
    any_world.sandbox.add_fault(f"{fault}:{UPDATE}")
    assert any_world.sync().exit_code == 3
    for _ in range(4):
        any_world.time_passes(60)
        any_world.sync()
    assert any_world.charged() == [1200]
    assert any_world.statuses() == ["synced", "synced"]


def test_a_lost_reply_does_not_become_a_second_charge(world: World) -> None:
    """Pitfall 8: the same key and the same bytes are sent again, and replayed."""
    ready(world)
    world.sandbox.add_fault(f"lost:{CREATE}")
    world.sync()
    world.sync()
    sent = [row for row in world.sandbox.ledger() if row["path"] == "/v1/invoiceitems"]
    assert len({row["idempotency_key"] for row in sent}) == 1
    assert len({str(row["form"]) for row in sent}) == 1
    assert [row["replayed"] for row in sent] == [False, True]
    assert (world.charged(), world.statuses()) == ([1000], ["synced"])


def test_a_stored_500_gets_a_new_generation_after_the_key_is_proven_spent(world: World) -> None:
    ready(world)
    world.sandbox.add_fault(f"500_before:{CREATE}")
    world.sync()
    world.sync()
    assert [(a.version, a.generation, a.outcome) for a in world.attempts] == [
        (1, 0, "server_error"),
        (1, 1, "done"),
    ]
    assert (world.charged(), world.statuses()) == ([1000], ["synced"])


def test_without_a_replay_mark_absence_is_believed_only_after_the_quiet_time(
    world: World,
) -> None:
    ready(world)
    world.sandbox.set(replay_header=False)
    world.sandbox.add_fault(f"500_before:{CREATE}")
    for _ in range(4):  # sent, sent again, looked up, looked up: not believed yet
        world.sync()
        assert world.charged() == []
    world.time_passes(world.settings.lease_seconds + 1)
    world.sync()
    assert (world.charged(), world.statuses()) == ([1000], ["synced"])


def test_a_gateway_that_answers_while_the_request_still_executes_is_not_believed(
    world: World,
) -> None:
    ready(world)
    world.sandbox.add_fault(f"502_late:{CREATE},delay=0.3")
    world.sync()
    world.sync()
    world.sandbox.wait_until_settled()
    for _ in range(3):
        world.time_passes(60)
        world.sync()
    assert (world.charged(), world.statuses()) == ([1000], ["synced"])
    assert [a.generation for a in world.attempts] == [0]


def test_after_twenty_hours_a_key_is_not_sent_again_but_looked_up(world: World) -> None:
    ready(world)
    world.sandbox.add_fault(f"lost:{CREATE}")
    world.sync()
    world.time_passes(25 * 3600)
    world.sandbox.move_clock(25 * 3600)  # Stripe has forgotten the key
    assert world.sync().synced == 1
    assert (world.charged(), world.statuses()) == ([1000], ["synced"])


def test_a_request_that_never_arrived_is_sent_anew_after_twenty_hours(world: World) -> None:
    ready(world)
    world.sandbox.add_fault(f"reset:{CREATE}")
    world.sync()
    world.time_passes(25 * 3600)
    assert world.sync().synced == 1
    assert [a.generation for a in world.attempts] == [0, 1]
    assert world.charged() == [1000]


def test_a_refused_row_fails_at_once_and_the_others_go_on(world: World) -> None:
    plan = world.plan()
    world.subscriber("poison:1", plan=plan, customer="cus_nobody")
    world.use(11_000, "poison:1")
    ready(world)
    report = world.sync()
    assert (report.selected, report.synced, report.failed, report.exit_code) == (2, 1, 1, 3)
    assert world.statuses() == ["failed", "synced"]
    [poison] = [o for o in world.overages if o.status == "failed"]
    assert (poison.attempts, "cus_nobody" in str(poison.last_error)) == (1, True)
    failed = [line for line in report.items if line.status == "failed"]
    assert (failed[0].billable, failed[0].stripe_customer_id) == ("poison:1", "cus_nobody")
    again = world.sync()
    assert (again.selected, again.exit_code) == (0, 0)
    assert [entry.reason for entry in again.blocked] == ["failed"]
    assert [e.name for e in world.rows(DomainEvent)].count("OverageSyncFailed") == 1


def test_retry_looks_up_first_and_sends_to_the_customer_that_is_right_now(world: World) -> None:
    plan = world.plan()
    billable = world.subscriber(plan=plan, customer="cus_nobody")
    world.use(501_000)
    world.sync()
    world.execute(
        "UPDATE ai_billables SET stripe_customer_id = :c WHERE id = :b",
        c=world.customer(), b=billable,
    )  # fmt: skip
    by_hand.retry(world.database, None, now=NOW)
    assert world.statuses() == ["frozen"]
    assert world.sync().synced == 1
    assert (world.charged(), world.statuses()) == ([1000], ["synced"])
    assert [(a.version, a.generation) for a in world.attempts] == [(1, 0), (1, 1)]


def test_an_item_deleted_by_a_person_is_held_and_never_recreated(any_world: World) -> None:
    ready(any_world)
    any_world.sync()
    any_world.sandbox.person_delete_item(any_world.sandbox.items()[0]["id"])
    any_world.use(100_000)
    report = any_world.sync()
    assert (report.failed, report.exit_code) == (1, 3)
    assert any_world.charged() == []
    assert any_world.statuses() == ["held", "held"]
    assert {o.reason for o in any_world.overages} == {"deleted_at_stripe"}
    any_world.use(100_000)
    again = any_world.sync()
    assert (again.selected, any_world.charged()) == (0, [])
    assert {entry.reason for entry in again.blocked} == {"held", "item_held"}


def test_an_amount_changed_by_a_person_is_held_and_never_overwritten(any_world: World) -> None:
    ready(any_world)
    any_world.sync()
    any_world.sandbox.person_change_item(any_world.sandbox.items()[0]["id"], 777)
    any_world.use(100_000)
    report = any_world.sync()
    assert (report.failed, any_world.charged()) == (1, [777])
    assert any_world.statuses() == ["synced", "held"]
    assert any_world.items[0].reason == "changed_at_stripe"


def test_usage_after_the_invoice_was_finalised_goes_into_the_next_sequence(
    any_world: World,
) -> None:
    ready(any_world)
    any_world.sync()
    any_world.sandbox.person_finalize(any_world.sandbox.items()[0]["customer"])
    any_world.use(100_000)
    report = any_world.sync()
    assert (report.selected, report.synced, report.closed) == (1, 1, 1)
    assert any_world.charged() == [200, 1000]
    assert [(i.sequence, i.status, i.final_minor) for i in any_world.items] == [
        (1, "closed", 1000),
        (2, "idle", None),
    ]
    assert any_world.statuses() == ["synced", "synced"]


def test_an_invoice_finalised_between_reading_and_updating_moves_the_rest_on(
    world: World,
) -> None:
    ready(world)
    world.sync()
    world.use(100_000)
    world.sandbox.add_fault(f"finalize:{UPDATE}")
    report = world.sync()
    assert (report.synced, report.closed) == (1, 1)
    assert (world.charged(), world.statuses()) == ([200, 1000], ["synced", "synced"])


def test_an_update_that_landed_before_its_invoice_was_finalised_counts(world: World) -> None:
    ready(world)
    world.sync()
    world.use(100_000)
    world.sandbox.add_fault(f"lost:{UPDATE}")
    world.sync()
    world.sandbox.person_finalize(world.sandbox.items()[0]["customer"])
    report = world.sync()
    assert (report.synced, report.closed) == (1, 1)
    assert (world.charged(), world.statuses()) == ([1200], ["synced", "synced"])
    assert world.items[0].carry_out == Decimal(0)


def test_a_duplicate_at_stripe_fails_and_is_never_settled_silently(world: World) -> None:
    import stripe

    ready(world)
    world.sandbox.add_fault(f"lost:{CREATE}")
    world.sync()
    [item] = world.sandbox.items()
    http = stripe.RequestsClient(timeout=(1, 5))
    client = stripe.StripeClient(
        "sk_test_1", base_addresses={"api": world.sandbox.url}, http_client=http
    )
    client.v1.invoice_items.create({
        "customer": item["customer"], "amount": 1000, "currency": "usd",
        "metadata": item["metadata"],
    })  # fmt: skip
    http.close()  # type: ignore[no-untyped-call]
    world.time_passes(25 * 3600)
    assert world.sync().failed == 1
    assert world.overages[0].last_error is not None
    assert world.overages[0].last_error.startswith("duplicate: ii_")


@pytest.mark.parametrize(("key", "status"), [("sk_test_forbidden", 403), ("pk_test_x", 401)])
def test_a_refused_key_stops_the_run_releases_the_claims_and_exits_4(
    world: World, key: str, status: int
) -> None:
    ready(world, "user:41")
    world.sync()  # whose account it is is known from now on
    ready(world)
    ready(world, "user:43")
    world.driver.close()
    good = world.driver
    world.driver = make_driver(replace(world.settings, stripe_api_key=key))
    report = world.sync()
    world.driver.close()
    assert report.error is not None
    assert (report.exit_code, report.error.exit_code, report.synced) == (4, 4, 0)
    assert str(status) in report.error.message
    assert key not in report.error.message
    assert {item.lease_token for item in world.items} == {None}
    world.driver = good
    assert world.sync().synced == 2
    assert world.charged() == [1000, 1000, 1000]


def test_five_unreachable_rows_in_a_row_stop_the_run(world: World) -> None:
    plan = world.plan()
    for n in range(12):
        world.subscriber(f"user:{n}", plan=plan, customer=f"cus_{n}00")
        world.use(11_000, f"user:{n}")
    dead = replace(world.settings, stripe_api_base="http://127.0.0.1:9", stripe_concurrency=1)
    world.driver.close()
    world.settings, world.driver = dead, make_driver(dead)
    report = world.sync()
    assert (report.deferred, report.unknown, report.exit_code) == (5, 0, 3)
    assert (len(world.attempts), report.remaining) == (5, 12)
    assert report.notices[0].startswith("Stripe did not answer 5 times in a row")


def test_a_rate_limited_request_waits_and_goes_on_within_the_run(world: World) -> None:
    ready(world)
    world.sandbox.add_fault(f"429:{CREATE},retry_after=0")
    report = world.sync()
    assert (report.synced, report.exit_code, world.charged()) == (1, 0, [1000])


def test_back_off_is_honoured_and_retry_now_ignores_it(world: World) -> None:
    ready(world)
    world.sandbox.add_fault(f"lost:{CREATE}")
    world.sync()
    waiting = world.sync(retry_now=False)
    assert (waiting.selected, waiting.remaining, waiting.exit_code) == (0, 1, 0)
    [notice] = waiting.notices
    assert notice.startswith("1 overage(s) wait for their next try, the first at 20")
    assert world.sync(retry_now=True).synced == 1


def test_after_max_attempts_the_failure_is_told_once_and_tried_for_ever(world: World) -> None:
    ready(world)
    world.settings = replace(world.settings, max_attempts=3)
    world.sandbox.add_fault("reset:path=/v1/invoiceitems,method=POST,times=5")
    for _ in range(5):
        world.sync()
    assert [e.name for e in world.rows(DomainEvent)].count("OverageSyncFailed") == 1
    assert world.sync().synced == 1


def test_an_expired_lease_of_a_dead_process_is_taken_over_as_unknown(world: World) -> None:
    ready(world)
    world.sandbox.add_fault(f"lost:{CREATE}")
    world.sync()
    world.execute(
        "UPDATE ai_invoice_items SET status = 'sending', lease_token = 'dead',"
        " lease_expires_at = '2026-01-01 00:00:00'"
    )
    report = world.sync(retry_now=False)
    assert (report.synced, world.charged()) == (1, [1000])


def test_a_process_whose_lease_was_taken_over_settles_nothing(world: World) -> None:
    from aimeter_cli.billing.base import ItemRequest, Reply

    ready(world)
    real = world.driver

    class Slow:
        name, livemode = "slow", False

        def __getattr__(self, name: str) -> object:
            return getattr(real, name)

        def send(self, request: ItemRequest) -> Reply:
            reply = real.send(request)
            world.execute("UPDATE ai_invoice_items SET lease_token = 'somebody else'")
            return reply

    world.driver = Slow()  # type: ignore[assignment]
    report = world.sync()
    world.driver = real
    assert (report.unknown, report.exit_code) == (1, 3)
    assert world.items[0].lease_token == "somebody else"
    world.time_passes(60)
    assert world.sync().synced == 1
    assert world.charged() == [1000]


def test_a_fault_of_ours_in_one_row_is_told_and_holds_up_no_other(world: World) -> None:
    from aimeter_cli.billing.base import ItemRequest, Reply

    ready(world, "user:1")
    ready(world, "user:2")
    real = world.driver

    class Faulty:
        name, livemode = "faulty", False

        def __getattr__(self, name: str) -> object:
            return getattr(real, name)

        def send(self, request: ItemRequest) -> Reply:
            if request.params["metadata"]["aimeter_billable"] == "user:1":
                raise KeyError("amount")
            return real.send(request)

    world.driver = Faulty()  # type: ignore[assignment]
    report = world.sync()
    world.driver = real
    assert isinstance(report.fault, KeyError)
    assert (report.synced, report.exit_code, world.charged()) == (1, 70, [1000])
    assert world.sync().selected == 0  # the lease still holds
    world.time_passes(60)
    assert (world.sync().synced, world.charged()) == (1, [1000, 1000])
