"""Handlers of ``customer.subscription.*``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.webhooks.conftest import STARTED, World
from tests.webhooks.payloads import (
    SHAPES,
    SUBSCRIPTION,
    Shape,
    deletion,
    event,
    failure,
    payment,
    renewal,
    stamp,
    subscription,
)

UPDATED = "customer.subscription.updated"


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def update(at: str = "2026-11-10", shape: Shape = "new", **state: Any) -> dict[str, Any]:
    previous = state.pop("previous", {"metadata": {}})
    name = state.pop("event_id", None)
    body = subscription(shape, **state)
    return event(UPDATED, body, at, previous=previous, shape=shape, id=name)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_renewal_moves_the_period_and_never_started_at(world: World, shape: Shape) -> None:
    """PITFALLS 22: Basil payloads are understood; started_at is no period's start."""
    result = world.receive(renewal(shape))
    row = world.subscription()
    assert (row.current_period_start, row.current_period_end, row.renews_at) == (
        day("2026-12-01"), day("2027-01-01"), day("2027-01-01"),
    )  # fmt: skip
    assert row.started_at == STARTED
    assert row.period_anchor == day("2026-10-01")
    assert result.status == "processed"
    assert [(c.table, c.id, c.field, c.before, c.after) for c in result.changes] == [
        ("ai_subscriptions", row.id, "renews_at", None, "2027-01-01T00:00:00Z"),
        ("ai_subscriptions", row.id, "current_period_start", None, "2026-12-01T00:00:00Z"),
        ("ai_subscriptions", row.id, "current_period_end", None, "2027-01-01T00:00:00Z"),
    ]


def test_the_oldest_shape_has_one_plan_and_no_items(world: World) -> None:
    result = world.receive(update(shape="oldest", price="price_max"))
    assert {c.field for c in result.changes} >= {"plan", "current_period_end"}


def test_of_several_items_the_one_on_our_plan_gives_the_period(world: World) -> None:
    seats = (("price_seats", "2026-11-01", "2027-11-01"),)
    world.receive(update(more_items=seats))
    assert world.subscription().current_period_end == day("2026-12-01")


def test_without_an_item_on_our_plan_the_latest_end_gives_the_period(world: World) -> None:
    more = (("price_seats", "2026-11-01", "2027-11-01"),)
    world.receive(update(price="price_other", more_items=more))
    assert world.subscription().current_period_end == day("2027-11-01")


@pytest.mark.parametrize("shape", SHAPES)
def test_a_plan_change_is_followed_and_told(world: World, shape: Shape) -> None:
    """PITFALLS 22: plan changes are not ignored."""
    old = {"items": subscription(shape)["items"]}
    result = world.receive(update(shape=shape, price="price_max", previous=old))
    [plan] = [each for each in result.changes if each.field == "plan"]
    assert (plan.table, plan.before, plan.after) == ("ai_subscriptions", "pro", "max")
    [(name, payload)] = world.told()
    assert (name, payload["previous_plan"], payload["plan"]) == ("PlanChanged", "pro", "max")


def test_an_unknown_price_is_reported_and_the_rest_applied(world: World) -> None:
    before = world.subscription().plan_id
    result = world.receive(update(price="price_other", end="2026-12-24"))
    assert result.status == "processed"
    command = "aimeter plans update PLAN --stripe-price price_other"
    assert result.error == f"no plan has the price price_other: plan kept; {command}"
    assert world.subscription().plan_id == before
    assert world.subscription().current_period_end == day("2026-12-24")
    assert world.told() == []


def test_of_several_plans_ours_is_kept(world: World) -> None:
    world.receive(update(price="price_max"))
    more = (("price_max", "2026-11-01", "2026-12-01"),)
    result = world.receive(update("2026-11-11", price="price_pro", more_items=more))
    assert (result.error, world.subscription().plan_id) == (None, 2)


def test_several_plans_none_of_which_is_ours_are_reported_and_never_guessed_from(
    world: World,
) -> None:
    free = world.add_plan("free")
    world.update(plan_id=free)
    more = (("price_max", "2026-11-01", "2026-12-01"),)
    result = world.receive(update(price="price_pro", more_items=more))
    assert result.error == "its prices mean several plans (max, pro): the plan is kept"
    assert world.subscription().plan_id == free
    world.receive(update("2026-11-11", price="price_pro"))
    assert world.told()[0][1]["previous_plan"] == "free"


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("state", "end"),
    [
        ({"cancel_at_period_end": True, "canceled_at": "2026-11-10"}, "2026-12-01"),
        ({"cancel_at_period_end": True, "cancel_at": "2026-11-25"}, "2026-11-25"),
        ({"cancel_at": "2026-12-15"}, "2026-12-15"),
        ({"cancel_at": "2026-09-15"}, "2026-10-01"),  # never before our start
    ],
)
def test_cancel_at_period_end_keeps_access_until_the_end(
    world: World, shape: Shape, state: dict[str, Any], end: str
) -> None:
    """PITFALLS 19: canceled_at is the day the customer asked, not the end."""
    world.receive(update(shape=shape, **state))
    assert world.subscription().ends_at == day(end)
    assert world.subscription().is_live


@pytest.mark.parametrize("shape", SHAPES)
def test_taking_the_cancellation_back_clears_the_end(world: World, shape: Shape) -> None:
    world.receive(update(shape=shape, cancel_at_period_end=True))
    back = update("2026-11-11", shape=shape, previous={"cancel_at_period_end": True})
    assert [c.field for c in world.receive(back).changes] == ["ends_at"]
    assert world.subscription().ends_at is None


def test_a_reactivation_clears_an_end_whose_announcement_was_never_seen(world: World) -> None:
    world.update(ends_at=day("2026-12-01"))
    world.receive(update(previous={"cancel_at": stamp("2026-12-01")}))
    assert world.subscription().ends_at is None


def test_a_lost_reactivation_is_made_good_by_any_later_event(world: World) -> None:
    world.receive(update(cancel_at_period_end=True))
    world.receive(renewal())
    assert world.subscription().ends_at is None


def test_an_end_that_an_operator_set_is_kept_and_told(world: World) -> None:
    world.update(ends_at=day("2027-02-01"))
    result = world.receive(update())
    assert world.subscription().ends_at == day("2027-02-01")
    assert result.error == "it ends at 2027-02-01T00:00:00Z by our own records: that is kept"


def test_closed_at_an_announced_end_it_goes_on_when_stripe_says_so(world: World) -> None:
    """Deliveries failed for a week, cron closed it, the customer had long changed their mind."""
    world.receive(update(cancel_at_period_end=True))
    world.update(is_live=False)
    assert world.receive(renewal()).status == "processed"
    row = world.subscription()
    assert (row.is_live, row.ends_at) == (True, None)


def test_closed_at_an_announced_end_it_stays_closed_beside_another_live_one(world: World) -> None:
    world.receive(update(cancel_at_period_end=True))
    world.update(is_live=False)
    world.subscribe("sub_Next")
    result = world.receive(renewal())
    assert (result.status, result.error) == ("stale", "the subscription has ended")


@pytest.mark.parametrize("shape", SHAPES)
def test_deleted_ends_it_at_ended_at(world: World, shape: Shape) -> None:
    details = {"reason": "payment_failed", "comment": None}
    world.receive(deletion(shape, ended_at="2026-12-19", cancellation_details=details))
    row = world.subscription()
    assert (row.ends_at, row.is_live) == (day("2026-12-19"), False)
    assert (row.cancellation_reason, row.meta) == ("payment_failed", {})


@pytest.mark.parametrize(
    ("times", "end"),
    [({"ended_at": None}, "2026-12-18"), ({"ended_at": None, "canceled_at": None}, "2026-12-20")],
)
def test_deleted_without_ended_at_ends_at_canceled_at_or_the_event(
    world: World, times: dict[str, Any], end: str
) -> None:
    world.receive(deletion(**{"canceled_at": "2026-12-18", **times}))
    assert world.subscription().ends_at == day(end)


@pytest.mark.parametrize("at", ["2026-12-10", "2026-12-20", "2026-12-25"])
def test_no_updated_brings_a_deleted_subscription_back(world: World, at: str) -> None:
    """PITFALLS 20: older, of the same second, or newer."""
    world.receive(deletion())
    before = world.state()
    result = world.receive(update(at))
    assert (result.status, result.error) == ("stale", "the subscription has ended")
    assert world.state() == before
    assert not world.subscription().is_live


def test_deleted_wins_over_a_newer_updated(world: World) -> None:
    world.receive(update("2026-12-25"))
    assert world.receive(deletion()).status == "processed"
    assert not world.subscription().is_live


def test_an_end_of_ours_is_not_moved_back_by_a_later_deletion(world: World) -> None:
    world.update(ends_at=day("2026-12-10"), is_live=False)
    world.receive(deletion())
    assert world.subscription().ends_at == day("2026-12-10")


@pytest.mark.parametrize("status", ["canceled", "incomplete_expired"])
def test_terminal_statuses_of_updated_end_it(world: World, status: str) -> None:
    world.receive(update("2026-12-02", status=status, ended_at="2026-12-02"))
    row = world.subscription()
    assert (row.ends_at, row.is_live) == (day("2026-12-02"), False)


def test_an_older_event_changes_nothing_newer(world: World) -> None:
    world.receive(renewal())
    before = world.state()
    result = world.receive(update(cancel_at_period_end=True))
    assert (result.status, result.changes) == ("stale", ())
    assert world.state() == before


def test_an_older_event_of_another_plan_changes_the_history_of_plans_alone(world: World) -> None:
    world.receive(renewal())
    before = world.state()
    result = world.receive(update(price="price_max", cancel_at_period_end=True))
    [history] = result.changes
    assert (history.field, history.before) == ("plan_history", None)
    assert history.after == "pro until 2026-11-10T00:00:00Z, max until 2026-12-01T00:00:05Z"
    after = world.state()
    assert after.pop("plan_history") != before.pop("plan_history")
    assert after == before


def test_within_a_second_created_comes_before_updated(world: World) -> None:
    at = "2026-11-01T00:00:00"
    made = event("customer.subscription.created", subscription(status="incomplete"), at)
    made["id"] = "evt_z"
    world.receive(update(at, previous={"metadata": {"other": "1"}}, event_id="evt_a"))
    assert world.receive(made).status == "stale"
    assert not world.subscription().is_incomplete


def test_within_a_second_previous_attributes_tell_which_update_is_later(world: World) -> None:
    at = "2026-11-10"
    asked: dict[str, Any] = {"cancel_at_period_end": True}
    first = update(at, **asked, previous={"cancel_at_period_end": False}, event_id="evt_z")
    was = {"items": subscription()["items"]}
    later = update(at, **asked, price="price_max", previous=was, event_id="evt_a")
    world.receive(later)
    assert world.receive(first).status == "stale"
    assert world.subscription().plan_id == 2


@pytest.mark.parametrize("first", [0, 1])
def test_within_a_second_undecided_updates_end_alike_in_both_orders(
    world: World, first: int
) -> None:
    pair = [update(event_id="evt_a", price="price_max"), update(event_id="evt_b", end="2027-01-05")]
    world.receive(pair[first])
    world.receive(pair[1 - first])
    assert world.subscription().current_period_end == day("2027-01-05")


def test_incomplete_and_trial_are_followed(world: World) -> None:
    world.receive(update("2026-11-02", status="incomplete"))
    assert world.subscription().is_incomplete
    world.receive(update("2026-11-03", status="trialing", trial_end="2026-11-17"))
    row = world.subscription()
    assert (row.is_incomplete, row.trial_ends_at) == (False, day("2026-11-17"))


def test_a_trial_of_ours_is_kept_where_stripe_has_none(world: World) -> None:
    world.update(trial_ends_at=day("2026-11-20"))
    world.receive(update())
    assert world.subscription().trial_ends_at == day("2026-11-20")


def test_a_pause_is_dated_by_its_first_event_in_any_order(world: World) -> None:
    paused = {"behavior": "void", "resumes_at": None}
    begun = update("2026-11-05", pause_collection=paused, previous={"pause_collection": None})
    world.receive(update("2026-11-07", pause_collection=paused))
    assert world.subscription().paused_at == day("2026-11-07")
    assert world.receive(begun).status == "processed"
    assert world.subscription().paused_at == day("2026-11-05")
    assert world.receive(update("2026-11-06")).status == "processed"  # it was resumed between
    assert world.subscription().paused_at == day("2026-11-07")
    world.receive(update("2026-11-08"))
    assert world.subscription().paused_at is None


def test_the_subscription_is_found_by_its_own_id_only(world: World) -> None:
    """PITFALLS 22: the customer's first subscription is not taken for another one."""
    world.subscribe("sub_Second", billable="user:43")
    world.receive(update(id="sub_Second", price="price_max"))
    assert world.subscription().plan_id == 1
    assert world.subscription("sub_Second").plan_id == 2


def test_an_unknown_subscription_is_kept_and_handled_when_it_appears(world: World) -> None:
    """PITFALLS 22: unknown subscriptions are not dropped."""
    new = update(id="sub_New")
    result = world.receive(new)
    assert (result.status, result.error) == ("ignored", "unknown subscription sub_New")
    assert world.receive(new).status == "ignored"
    [stored] = world.stored()
    assert (stored.status, stored.attempts, stored.object_id) == ("ignored", 1, "sub_New")
    world.subscribe("sub_New", billable="user:43")
    assert world.receive(new).status == "processed"
    assert world.receive(new).status == "duplicate"
    [stored] = world.stored()
    assert (stored.status, stored.attempts, stored.error) == ("processed", 2, None)


def test_a_broken_subscription_fails_alone_and_quotes_nothing(world: World) -> None:
    broken = update(status="active", ended_at=None)
    broken["data"]["object"]["trial_end"] = "secret"
    result = world.receive(broken)
    assert (result.status, result.error) == ("failed", "trial_end is not a time")
    assert world.state()["stripe_updated_at"] is None


def test_recovery_from_past_due_ends_the_grace(world: World) -> None:
    world.receive(failure())
    world.receive(update("2026-12-02", status="past_due", previous={"status": "active"}))
    assert world.subscription().grace_period_ends_at == day("2026-12-08T01:00:00")
    world.receive(update("2026-12-03", previous={"status": "past_due"}))
    assert world.subscription().grace_period_ends_at is None


@pytest.mark.parametrize("recovered", ["2026-12-01T01:00:00", "2026-12-03"])
def test_a_failure_told_after_the_recovery_starts_no_grace(world: World, recovered: str) -> None:
    world.receive(update(recovered, previous={"status": "past_due"}))
    result = world.receive(failure())
    assert (result.status, result.error) == ("stale", "the subscription has recovered since")
    assert world.subscription().grace_period_ends_at is None


def test_failures_after_a_recovery_count_in_any_order(world: World) -> None:
    recovery = update("2026-12-03", previous={"status": "unpaid"})
    again = failure(at="2026-12-05", attempt=2)
    for each in (failure(), again, recovery):
        world.receive(each)
    state = world.state()
    assert state["grace_period_ends_at"] == "2026-12-12T00:00:00Z"


def test_event_times_are_seconds_of_utc() -> None:
    assert stamp("2026-11-01") == 1793491200


def test_payment_of_another_subscription_is_none_of_ours(world: World) -> None:
    assert world.receive(payment(subscription="sub_Else")).status == "ignored"
    assert SUBSCRIPTION != "sub_Else"
