"""Change what is kept of a subscription, where that moves no metering period."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.periods import iso
from aimeter_cli.domain.subscription import BillingMode, is_over, status
from aimeter_cli.errors import Conflict, InvalidInput
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.services.subscriptions.plan_changes import tell_plan_change
from aimeter_cli.services.subscriptions.view import SubscriptionView, found_by, with_next_plan


@dataclass(frozen=True, slots=True)
class Changes:
    """What ``update_subscription`` is told; None and False change nothing.

    ``meta`` is merged into what is there; an empty value removes its key.
    """

    mode: BillingMode | None = None
    renews_at: datetime | None = None
    trial_ends_at: datetime | None = None
    no_end: bool = False
    meta: Mapping[str, str] = field(default_factory=dict)


def update_subscription(
    database: Database, reference: str, changes: Changes, *, now: datetime, dry_run: bool = False
) -> SubscriptionView:
    """Raises NotFound; InvalidInput where nothing is given or times are out of order; Conflict
    where it is over, or the renewal is Stripe's or would cut periods anew."""
    if changes == Changes():
        raise InvalidInput(
            "give --mode, --renews-at, --trial-ends-at, --no-end or --meta",
            hint="Its plan: aimeter subscriptions change-plan.",
        )
    with database.write(dry_run=dry_run) as session:
        subscription, billable, plan = found_by(session, reference, now)
        tell_plan_change(session, subscription.id, now)
        session.refresh(subscription, with_for_update={"key_share": True})
        if is_over(subscription, now):
            told = status(subscription, now)
            raise Conflict(f"the subscription {reference} is over: {told}")
        _change(subscription, changes)
        subscription.updated_at = now
        session.add(subscription)
        session.flush()
        return with_next_plan(session, SubscriptionView(subscription, billable, plan, now))


def _change(row: Subscription, changes: Changes) -> None:
    if changes.mode is not None:
        row.billing_mode = changes.mode
    if changes.renews_at is not None:
        _check_renewal(row, changes.renews_at)
        row.renews_at = changes.renews_at
    if changes.trial_ends_at is not None:
        if changes.trial_ends_at < row.started_at:
            start = iso(row.started_at)
            raise InvalidInput(f"--trial-ends-at: lies before the start, {start}")
        row.trial_ends_at = changes.trial_ends_at
    if changes.no_end:
        if row.ends_at is None:
            raise Conflict("no end is set: there is nothing to take back")
        row.ends_at = None
    merged = {**row.meta, **changes.meta}
    row.meta = {key: value for key, value in merged.items() if changes.meta.get(key) != ""}


def _check_renewal(row: Subscription, renews_at: datetime) -> None:
    if row.stripe_subscription_id is not None:
        raise Conflict(
            f"--renews-at: it renews when Stripe renews {row.stripe_subscription_id}",
            hint="aimeter subscriptions reconcile takes Stripe's period over.",
        )
    if row.period_alignment == "anchored":
        raise Conflict(
            "--renews-at: its periods are counted from it, and what was used is counted by period",
            hint="Cancel it at the period's end, and create another with --renews-at.",
        )
    if renews_at <= row.started_at:
        raise InvalidInput(
            f"--renews-at: {iso(renews_at)} does not lie after the start, {iso(row.started_at)}"
        )
