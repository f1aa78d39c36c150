"""Whether a call is allowed, and what is left: asked before each call, and by ``usage check``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlmodel import Session

from aimeter_cli.db.engine import Database
from aimeter_cli.db.prepared import Row
from aimeter_cli.domain.allowance import (
    LimitCheck,
    LimitExceeded,
    decide_on_credits,
    decide_on_plan,
    decide_without_plan,
    limits_of,
)
from aimeter_cli.domain.credits import Standing
from aimeter_cli.domain.money import from_nanos
from aimeter_cli.domain.quota import Totals
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.domain.subscription import BillingMode, covers, status
from aimeter_cli.repositories import quota as repo
from aimeter_cli.repositories.overrides import override_of
from aimeter_cli.repositories.quota import OVERRIDE_LIMITS, PLAN_TERMS
from aimeter_cli.services.credits.standing import available
from aimeter_cli.services.recording.accounts import Subscriber, counter_key, plan_terms
from aimeter_cli.services.recording.counting import LockedCounter, pinned_terms, stored_totals
from aimeter_cli.settings.table import Settings

__all__ = ["LimitCheck", "LimitExceeded", "check_after", "check_quota", "check_quota_in"]


def check_quota(
    database: Database,
    settings: Settings,
    billable: BillableRef,
    *,
    now: datetime,
    tokens: int = 0,
    cost: int = 0,
    requests: int = 1,
    billing_mode: BillingMode | None = None,
) -> LimitCheck:
    """What is left for ``billable``, and whether a call estimated to use so much is allowed.

    ``cost`` in nanos of the plan's currency, in credits mode of the wallet's. ``billing_mode``: the
    call's own, before the subscription's. A billable that nobody knows yet has no subscription.
    Changes nothing; its cost does not grow with history.
    """
    with database.read() as session:
        return check_quota_in(
            session, settings, billable, now=now, tokens=tokens, cost=cost, requests=requests,
            billing_mode=billing_mode,
        )  # fmt: skip


def check_quota_in(
    session: Session,
    settings: Settings,
    billable: BillableRef,
    *,
    now: datetime,
    tokens: int = 0,
    cost: int = 0,
    requests: int = 1,
    billing_mode: BillingMode | None = None,
) -> LimitCheck:
    """The same in a session that is there already."""
    rows = repo.subscribed(session, billable, now)
    found = [(row, Subscriber.of(row)) for row in rows if row["id"] is not None]
    current = next(((row, each) for row, each in found if covers(each, now)), None)
    latest = current or (found[0] if found else None)
    check = LimitCheck(
        billable=str(billable),
        billing_mode=billing_mode or _mode(current),
        approaching_percent=settings.limit_approaching_percent,
        plan=None if latest is None else latest[0]["plan_slug"],
        subscription_status=None if latest is None else status(latest[1], now),
    )
    if check.billing_mode == "credits":
        billable_id = rows[0]["billable_id"] if rows else None
        wallet = _wallet(session, settings, billable, billable_id, now)
        return decide_on_credits(check, wallet, cost)
    if current is None:
        return decide_without_plan(check, blocks=settings.no_subscription == "block")
    limited = _limited(session, settings, check, *current, now)
    return decide_on_plan(limited, tokens, from_nanos(cost), requests)


def check_after(
    check: LimitCheck, counter: LockedCounter, *, now: datetime, tokens: int = 0, cost: int = 0
) -> LimitCheck | None:
    """``check`` as it is once a call has been counted, told by its counter alone.

    None: other limits or another period hold by now, only the database can tell.
    """
    row, limits = counter.row, limits_of(counter.terms, counter.totals, counter.pinned)
    if (
        check.behavior != counter.terms.behavior
        or (check.period_start, check.period_end) != (row["period_start"], row["period_end"])
        or [limit.limit for limit in check.limits] != [limit.limit for limit in limits]
        or now >= row["period_end"]
    ):
        return None
    return decide_on_plan(replace(check, limits=limits), tokens, from_nanos(cost), requests=1)


def _mode(current: tuple[Row, Subscriber] | None) -> BillingMode:
    return "plan" if current is None or current[1].is_metered else "credits"


def _wallet(
    session: Session, settings: Settings, ref: BillableRef, billable_id: int | None, now: datetime
) -> Standing:
    if billable_id is None:
        return Standing(str(ref), settings.currency, has_wallet=False)
    return available(session, settings, billable_id, now)


def _limited(
    session: Session,
    settings: Settings,
    check: LimitCheck,
    row: Row,
    subscriber: Subscriber,
    now: datetime,
) -> LimitCheck:
    """With the limits that hold at ``now``, and what is used of them."""
    key = counter_key(row["billable_id"], subscriber, now)
    counter: Mapping[Any, Any] | None = repo.counter(session, key)
    if counter is None:
        plan = _prefixed(row, "plan_", PLAN_TERMS)
        counter = plan_terms(plan, settings, is_trial=key[4])
        totals = Totals()
    else:
        totals = stored_totals(counter)
    terms = pinned = pinned_terms(counter)
    overridden = row["override_starts_at"] is not None
    if overridden:
        terms = override_of(_prefixed(row, "override_", OVERRIDE_LIMITS)).applied(terms)
    return replace(
        check,
        behavior=terms.behavior,
        period_start=key[2],
        period_end=key[3],
        currency=counter["currency"],
        limits=limits_of(terms, totals, pinned),
        is_overridden=overridden,
    )


def _prefixed(row: Row, prefix: str, names: Sequence[str]) -> dict[str, Any]:
    return {name: row[prefix + name] for name in names}
