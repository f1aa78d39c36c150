"""Limit overrides of billables; those of one do not overlap."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, bindparam, select
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from aimeter_cli.domain.money import to_nanos
from aimeter_cli.domain.overrides import Override
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.overrides import UsageLimitOverride
from aimeter_cli.models.plans import Plan
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.repositories.subscriptions import plan_id_at

overrides = table_of(UsageLimitOverride)

Found = tuple[UsageLimitOverride, Billable, str | None]
"""With the currency of the plan that holds when it begins; None: no subscription is live."""

_subscriptions = table_of(Subscription)
_plans = table_of(Plan)
_OF = (
    select(overrides)
    .where(
        overrides.c.billable_id.in_(bindparam("billables", expanding=True)),
        overrides.c.ends_at > bindparam("since"),
    )
    .order_by(overrides.c.starts_at)
)
_CURRENCY = (
    select(_plans.c.currency)
    .join_from(
        _subscriptions, _plans, _plans.c.id == plan_id_at(_subscriptions, overrides.c.starts_at)
    )
    .where(_subscriptions.c.billable_id == overrides.c.billable_id, _subscriptions.c.is_live)
    .correlate(overrides)
    .scalar_subquery()
)


def overrides_of(
    session: Session, billable_ids: Iterable[int], since: datetime
) -> Mapping[int, Sequence[Override]]:
    """Those of each billable that end after ``since``, earliest first."""
    parameters = {"billables": sorted(billable_ids), "since": since}
    found: dict[int, list[Override]] = {}
    for row in session.connection().execute(_OF, parameters).mappings():
        found.setdefault(row["billable_id"], []).append(override_of(row))
    return found


def override_of(row: RowMapping | Mapping[str, Any]) -> Override:
    cost = row["cost_limit"]
    return Override(
        row["starts_at"],
        row["ends_at"],
        row["token_limit"],
        None if cost is None else to_nanos(cost),
        row["request_limit"],
        row["lifts_tokens"],
        row["lifts_cost"],
        row["lifts_requests"],
    )


def overlapping(
    session: Session, billable_id: int, starts_at: datetime, ends_at: datetime
) -> UsageLimitOverride | None:
    """One that holds at some moment of ``[starts_at, ends_at)``."""
    return session.exec(
        select_rows(UsageLimitOverride)
        .where(
            UsageLimitOverride.billable_id == billable_id,
            UsageLimitOverride.starts_at < ends_at,
            UsageLimitOverride.ends_at > starts_at,
        )
        .order_by(col(UsageLimitOverride.starts_at))
        .limit(1)
    ).first()


def last_end(session: Session, billable_id: int, now: datetime) -> datetime | None:
    """When the latest one ended; None: none has."""
    return session.exec(
        select_rows(UsageLimitOverride.ends_at)
        .where(UsageLimitOverride.billable_id == billable_id, UsageLimitOverride.ends_at <= now)
        .order_by(col(UsageLimitOverride.ends_at).desc())
        .limit(1)
    ).first()


def list_overrides(
    session: Session, *, billable: BillableRef | None = None, since: datetime | None = None
) -> Sequence[Found]:
    """In the order in which they begin; those that end after ``since``, if it is given."""
    statement = (
        select_rows(UsageLimitOverride, Billable, _CURRENCY)
        .join(Billable, col(Billable.id) == col(UsageLimitOverride.billable_id))
        .order_by(col(UsageLimitOverride.starts_at), col(UsageLimitOverride.id))
    )
    if billable is not None:
        statement = statement.where(
            Billable.type == billable.type, Billable.external_id == billable.id
        )
    if since is not None:
        statement = statement.where(UsageLimitOverride.ends_at > since)
    return session.exec(statement).all()


def currency_of(session: Session, override: UsageLimitOverride) -> str | None:
    """As in ``Found``."""
    statement = select_rows(_CURRENCY).where(UsageLimitOverride.id == override.id)
    return session.exec(statement.select_from(UsageLimitOverride)).first()


def find_override(session: Session, override_id: int) -> tuple[UsageLimitOverride, Billable] | None:
    """Locked until the transaction ends."""
    return session.exec(
        select_rows(UsageLimitOverride, Billable)
        .join(Billable, col(Billable.id) == col(UsageLimitOverride.billable_id))
        .where(UsageLimitOverride.id == override_id)
        .with_for_update(of=UsageLimitOverride)
    ).first()
