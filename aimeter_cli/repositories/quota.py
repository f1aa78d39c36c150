"""What a quota check reads: two prepared statements, whose cost does not grow with history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, or_, select
from sqlmodel import Session

from aimeter_cli.db.prepared import Prepared, Row
from aimeter_cli.db.types import UTCDateTime
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.domain.subscription import PlanChange, is_history, plan_at
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.overrides import UsageLimitOverride
from aimeter_cli.models.plans import Plan
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.models.usages import UsageCounter
from aimeter_cli.repositories.subscriptions import plan_id_at
from aimeter_cli.repositories.usages import SUBSCRIBER, CounterKey

_billables = table_of(Billable)
_subscriptions = table_of(Subscription)
_plans = table_of(Plan)
_overrides = table_of(UsageLimitOverride)
_counters = table_of(UsageCounter)

_NOW = bindparam("now", type_=UTCDateTime())
PLAN_TERMS = (
    "currency", "token_limit", "cost_limit", "request_limit", "overage_price_per_1k_tokens",
    "overage_behavior",
)  # fmt: skip
OVERRIDE_LIMITS = (
    "starts_at", "ends_at", "token_limit", "cost_limit", "request_limit",
    "lifts_tokens", "lifts_cost", "lifts_requests",
)  # fmt: skip

_PLAN_COLUMNS = (
    _plans.c.slug.label("plan_slug"),
    *(_plans.c[name].label(f"plan_{name}") for name in PLAN_TERMS),
)
_PLAN = Prepared(select(*_PLAN_COLUMNS).where(_plans.c.id == bindparam("plan")))
_SUBSCRIBED = Prepared(
    select(
        _billables.c.id.label("billable_id"),
        *(_subscriptions.c[name] for name in SUBSCRIBER),
        *_PLAN_COLUMNS,
        *(_overrides.c[name].label(f"override_{name}") for name in OVERRIDE_LIMITS),
    )
    .select_from(
        _billables.outerjoin(
            _subscriptions,
            (_subscriptions.c.billable_id == _billables.c.id)
            & or_(_subscriptions.c.ends_at.is_(None), _subscriptions.c.ends_at > _NOW),
        )
        .outerjoin(_plans, _plans.c.id == plan_id_at(_subscriptions, _NOW))
        .outerjoin(
            _overrides,
            (_overrides.c.billable_id == _billables.c.id)
            & (_overrides.c.starts_at <= _NOW)
            & (_overrides.c.ends_at > _NOW),
        )
    )
    .where(
        _billables.c.type == bindparam("type"), _billables.c.external_id == bindparam("external_id")
    )
    .order_by(_subscriptions.c.started_at.desc(), _subscriptions.c.id.desc())
)
_COUNTER = Prepared(
    select(_counters).where(
        _counters.c.billable_id == bindparam("billable"),
        _counters.c.plan_id == bindparam("plan"),
        _counters.c.period_start == bindparam("start"),
        _counters.c.period_end == bindparam("end"),
        _counters.c.is_trial == bindparam("trial"),
    )
)


def subscribed(session: Session, ref: BillableRef, now: datetime) -> Sequence[Row]:
    """The billable with each subscription that has not ended, the latest started first; ``id`` is
    None where it has none. Empty: there is no such billable.

    With the plan of ``now`` (``plan_…``) and the limit override that holds (``override_…``).
    """
    rows = _SUBSCRIBED.rows(session, type=ref.type, external_id=ref.id, now=now)
    for row in rows:
        if row["id"] is not None:
            plans = PlanChange(*(row[name] for name in PlanChange._fields))
            if is_history(plans, now):
                row.update(*_PLAN.rows(session, plan=plan_at(plans, now)))
    return rows


def counter(session: Session, key: CounterKey) -> Row | None:
    """The counter as it stands, not locked; None: nothing was counted yet."""
    parameters = dict(zip(("billable", "plan", "start", "end", "trial"), key, strict=True))
    return _COUNTER.first(session, **parameters)
