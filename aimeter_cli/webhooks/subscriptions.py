"""Handlers of ``customer.subscription.*``: ours follows Stripe's, whatever order events come in.

Every event carries the subscription's whole state, so the newest one decides and an older one is
``stale``. Two things are told by transitions, and count in whatever order they come: a recovery
ends the grace of failures before it, and a pause began with the first event that shows it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from aimeter_cli.domain.events import EventName
from aimeter_cli.domain.grace import Grace, after_recovery
from aimeter_cli.domain.periods import iso
from aimeter_cli.domain.plan_history import all_past, last_change, plan_spans, with_plan
from aimeter_cli.domain.stripe_events import StripeEvent, is_later, is_tie
from aimeter_cli.domain.stripe_payloads import (
    StripeSubscription,
    contradicts,
    is_in_good_standing,
    is_reactivation,
    is_recovery,
    read_invoice,
    read_subscription,
)
from aimeter_cli.domain.stripe_state import end_of, state_columns
from aimeter_cli.domain.subscription import PlanChange, plan_at
from aimeter_cli.webhooks.grace_rows import forgive, grace_columns, grace_of, store_grace
from aimeter_cli.webhooks.handling import Handling, Row, reread
from aimeter_cli.webhooks.invoices import failure_times, has_ended
from aimeter_cli.webhooks.results import Outcome

CLOSING_INVOICES = ("invoice.paid", "invoice.payment_succeeded", "invoice.payment_failed")
"""By then the renewal that made the invoice must have been told."""

CLOCK_SKEW = timedelta(minutes=5)


def created(handling: Handling) -> Outcome:
    """A subscription that we know already has been made at Stripe: take its state over."""
    return _follow(handling, read_subscription(handling.event.object))


def updated(handling: Handling) -> Outcome:
    """Renewal, plan change, cancellation at period end, reactivation, trial, pause, resumption."""
    return _follow(handling, read_subscription(handling.event.object))


def deleted(handling: Handling) -> Outcome:
    """It has ended, for good, whatever status the payload still shows."""
    return _follow(handling, replace(read_subscription(handling.event.object), status="canceled"))


def catch_up(handling: Handling) -> None:
    """An invoice closes a period that is still the current one here: its renewal was not told.

    Stripe is asked for the subscription, if there is somebody to ask.
    """
    invoice = read_invoice(handling.event.object)
    if invoice.subscription_id is None or invoice.renewal_end is None:
        return
    row = handling.subscription(invoice.subscription_id)
    known, end = row["stripe_updated_at"], row["current_period_end"]
    if known is None or end is None or has_ended(row):
        return
    if handling.event.created > known and end <= invoice.renewal_end:
        _catch_up(handling, row, None)


def _follow(handling: Handling, stripe: StripeSubscription) -> Outcome:
    row = handling.subscription(stripe.id)
    if _is_doubtful(handling, row, stripe):
        row = _catch_up(handling, row, stripe)
    stale = _why_stale(handling, row, stripe)
    if stale is None:
        row = _take_over(handling, row, stripe, handling.event.created, handling.event.created)
    else:
        row = _date_plan(handling, row, stripe)
        if not has_ended(row):
            row = _date_pause(handling, row, stripe)
    if is_recovery(handling.event.object, handling.event.previous):
        row = forgive(handling, row, handling.event.created)
        if not has_ended(row):
            _recover(handling, row, handling.event.created)
    if stale is None or handling.changes:
        return Outcome("processed")
    return Outcome("stale", stale)


def _why_stale(handling: Handling, row: Row, stripe: StripeSubscription) -> str | None:
    """Why this state is not to be taken over; None: it is the newest that we know.

    An end is terminal: it wins over newer events, and nothing wins over it.
    """
    event, ended, known = handling.event, has_ended(row), row["stripe_updated_at"]
    if ended and not stripe.is_terminal and not _may_go_on(handling, row):
        return "the subscription has ended"
    if known is None or event.created > known or (stripe.is_terminal and not ended):
        return None
    if event.created == known and not any(is_later(e, event) for e in _last_applied(handling, row)):
        return None
    return "a newer event has been applied"


def _is_doubtful(handling: Handling, row: Row, stripe: StripeSubscription) -> bool:
    """Whether the events alone do not tell what is true now: a tie, or one is missing.

    A state that was fetched is dated by our clock: events of the minutes before it may have
    happened after it.
    """
    event, known = handling.event, row["stripe_updated_at"]
    if known is None or stripe.is_terminal or has_ended(row):
        return False
    last = _last_applied(handling, row)
    if event.created > known:
        return bool(last) and all(contradicts(event.previous, each.object) for each in last)
    if not last:
        return bool(known - event.created <= CLOCK_SKEW)
    ties = [each for each in last if is_tie(event, each)]
    return any(read_subscription(each.object) != stripe for each in ties)


def _catch_up(handling: Handling, row: Row, told: StripeSubscription | None) -> Row:
    """Take over the state that Stripe has now, if it can be had.

    ``told``: the state in the event. A plan that it shows already began with the event.
    """
    fetched = handling.ask(row["stripe_subscription_id"])
    if fetched is None:
        return row
    stripe, created = read_subscription(fetched.body), handling.event.created
    at = max(fetched.at, created)
    since = created if told is not None and told.prices == stripe.prices else at
    row = _take_over(handling, row, stripe, at, since)
    if is_in_good_standing(stripe):
        seen = fetched.at - CLOCK_SKEW
        row = _recover(handling, forgive(handling, row, seen), seen)
    return row


def _take_over(
    handling: Handling, row: Row, stripe: StripeSubscription, at: datetime, since: datetime
) -> Row:
    """Write the state that Stripe had ``at`` then; another plan holds from ``since`` on."""
    plan = _plan_of(handling, row, stripe, since)
    columns = state_columns(
        stripe,
        at=at,
        started_at=row["started_at"],
        our_prices=handling.prices.prices_of(plan),
    )
    columns |= {"stripe_updated_at": at}
    if plan != _own_plan(row, since):
        columns |= all_past(with_plan(plan_spans(_plans_of(row)), plan, since))
    columns["paused_at"] = (row["paused_at"] or at) if stripe.is_paused else None
    if stripe.is_terminal:
        if has_ended(row):  # it was ended here before: that time stays
            columns["ends_at"] = min(columns["ends_at"], row["ends_at"])
        columns |= grace_columns(Grace())
        if stripe.cancellation_reason is not None:
            columns["cancellation_reason"] = stripe.cancellation_reason
    else:
        columns |= {"ends_at": _end(handling, row, columns["ends_at"])}
        if has_ended(row):
            columns["is_live"] = True
    after = handling.change(row, columns)
    if plan != (previous := _own_plan(row, since)):
        plans = {"previous_plan": handling.slug(previous), "plan": handling.slug(plan)}
        handling.emit(EventName.PLAN_CHANGED, row, plans | {"effective_at": iso(since)})
    return after


def _end(handling: Handling, row: Row, told: datetime | None) -> datetime | None:
    """When it ends now that Stripe says ``told``. An end that an operator set here stays."""
    ours: datetime | None = row["ends_at"]
    if ours is None or told is not None:
        return told
    if is_reactivation(handling.event.previous) or _ends_as_stripe_said(handling, row):
        return None
    handling.notices.append(f"it ends at {iso(ours)} by our own records: that is kept")
    return ours


def _may_go_on(handling: Handling, row: Row) -> bool:
    """Whether it was closed at an end that Stripe had only announced, and its place is free."""
    return _ends_as_stripe_said(handling, row) and handling.live_rival(row) is None


def _ends_as_stripe_said(handling: Handling, row: Row) -> bool:
    """Whether ``ends_at`` is an end that Stripe announced, and not one that an operator set."""
    last = _last_applied(handling, row)
    if not last and row["stripe_updated_at"] is not None:  # the state was fetched
        return bool(row["ends_at"] == row["current_period_end"])
    for event in last:
        stripe = read_subscription(event.object)
        plan = _own_plan(row, event.created)
        period = stripe.period(handling.prices.prices_of(plan))
        end = end_of(stripe, period, event.created)
        if not stripe.is_terminal and end and max(end, row["started_at"]) == row["ends_at"]:
            return True
    return False


def _last_applied(handling: Handling, row: Row) -> list[StripeEvent]:
    """The other events of the second up to which Stripe's state has been taken over."""
    known = row["stripe_updated_at"]
    if known is None:
        return []
    past = handling.history(row["stripe_subscription_id"], since=known)
    events = [reread(stored) for stored in past if stored.created == known]
    return [event for event in events if event is not None]


def _plan_of(handling: Handling, row: Row, stripe: StripeSubscription, moment: datetime) -> int:
    """The plan that the prices mean; ours as it is, with a notice, where they do not tell."""
    current = _own_plan(row, moment)
    plans = _plans_told(handling, stripe)
    if len(plans) == 1:
        return plans.pop()
    if plans and current not in plans:
        slugs = ", ".join(sorted(handling.slug(plan) for plan in plans))
        handling.notices.append(f"its prices mean several plans ({slugs}): the plan is kept")
    elif not plans and stripe.prices:
        handling.notices.append(no_plan(stripe))
    return current


def no_plan(stripe: StripeSubscription) -> str:
    """What to do about prices that mean no plan."""
    prices = " ".join(f"--stripe-price {price}" for price in stripe.prices)
    told = ", ".join(stripe.prices)
    return f"no plan has the price {told}: plan kept; aimeter plans update PLAN {prices}"


def _own_plan(row: Row, moment: datetime) -> int:
    """The plan of ``moment`` as we know it."""
    return plan_at(_plans_of(row), moment)


def _plans_of(row: Row) -> PlanChange:
    return PlanChange(*(row[name] for name in PlanChange._fields))


def _plans_told(handling: Handling, stripe: StripeSubscription) -> set[int]:
    """The plans that its prices mean."""
    return {handling.prices.plans[p] for p in stripe.prices if p in handling.prices.plans}


def _date_plan(handling: Handling, row: Row, stripe: StripeSubscription) -> Row:
    """A late event shows the plan from its time on, until the next one that we know of."""
    event, plans, known = handling.event, _plans_told(handling, stripe), row["stripe_updated_at"]
    if len(plans) != 1 or known is None or known <= event.created:
        return row
    [plan] = plans
    facts = _plans_of(row)
    if plan == plan_at(facts, event.created):
        return row
    spans = plan_spans(facts)
    edges = [each.until for each in spans if each.until is not None and each.until > event.created]
    later = map(reread, handling.history(stripe.id, since=event.created))
    edges += [
        each.created
        for each in later
        if each is not None
        and (each.created > event.created or is_later(each, event))
        and len(_plans_told(handling, read_subscription(each.object))) == 1
    ]
    if not _last_applied(handling, row):  # the state was fetched: it told the plan of its time
        edges.append(known)
    until = min(edges, default=None)
    if until == event.created:
        return row
    spans = with_plan(spans, plan, event.created, until)
    is_last = facts.plan_changes_at is not None and spans[-2].until == facts.plan_changes_at
    return handling.change(row, last_change(spans) if is_last else all_past(spans))


def _recover(handling: Handling, row: Row, at: datetime) -> Row:
    """Active ``at`` then: failures until then are forgiven."""
    grace = grace_of(row)
    after = after_recovery(
        grace,
        {invoice: failure_times(handling, invoice) for invoice in grace.ends},
        at,
        handling.settings.payment_failure_grace_period,
    )
    return store_grace(handling, row, after)


def _date_pause(handling: Handling, row: Row, stripe: StripeSubscription) -> Row:
    """A late event about a paused subscription may show when its pause really began."""
    at, paused_at = handling.event.created, row["paused_at"]
    if paused_at is None or stripe.is_paused == (at >= paused_at):
        return row
    events = [handling.event, *filter(None, map(reread, handling.history(stripe.id)))]
    shown = [(event.created, read_subscription(event.object).is_paused) for event in events]
    start: datetime = paused_at
    for moment, is_paused in sorted(shown, reverse=True):
        if not is_paused:
            break
        start = moment
    return handling.change(row, {"paused_at": start})


def take_current(handling: Handling, row: Row, stripe: StripeSubscription, at: datetime) -> Row:
    """Stripe's state as it was read ``at`` then, for ``subscriptions reconcile``.

    What was ended here for good stays so.
    """
    if has_ended(row) and not stripe.is_terminal and not _may_go_on(handling, row):
        return row
    return _take_over(handling, row, stripe, at, at)
