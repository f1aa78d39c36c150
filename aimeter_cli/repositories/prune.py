"""Old usages: which may go, their daily sums, and their deletion. Money is in nanos.

A usage goes together with its corrections, or not at all. They are walked by the index of
(billable, time), so that a batch holds what adds up to few daily sums.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import bindparam, text
from sqlmodel import Session

from aimeter_cli.db.types import UTCDateTime
from aimeter_cli.domain.pricing import TOKEN_FIELDS
from aimeter_cli.models.usages import WAITING

REASONS = (
    "unpriced", "needs_rate", "unpaid", "in_ledger", "recent_period", "unsettled", "correction",
)  # fmt: skip
"""Why a usage stays, in the order in which they are told."""

_SETTLED = (
    "(o.status = 'waived' AND o.item_id IS NULL) OR o.external_item_id IS NOT NULL"
    " OR (o.status IN ('synced', 'carried', 'waived') AND i.status = 'closed')"
)
_UNSETTLED_COUNTERS = f"""
SELECT counter_id FROM ai_overages WHERE status NOT IN ('carried', 'synced', 'waived')
UNION SELECT o.counter_id FROM ai_invoice_items i JOIN ai_overages o ON o.item_id = i.id
  WHERE i.status <> 'closed'
UNION SELECT counter_id FROM ai_usages WHERE {WAITING} AND counter_id IS NOT NULL
"""
"""Periods of which something is not billed, or not priced: all of their usages tell how much."""


def _own_reason(u: str) -> str:
    """Why the row itself has to stay; NULL if it may go. By its keys: cheap for each row."""
    return f"""CASE
  WHEN {u}.state <> 'priced' THEN {u}.state
  WHEN EXISTS (SELECT 1 FROM ai_credit_transactions t WHERE t.usage_id = {u}.id) THEN 'in_ledger'
  WHEN EXISTS (SELECT 1 FROM ai_usage_counters c
    WHERE c.id = {u}.counter_id AND c.period_end > :over_before) THEN 'recent_period'
  WHEN EXISTS (SELECT 1 FROM ai_overages o LEFT JOIN ai_invoice_items i ON i.id = o.item_id
    WHERE o.id = {u}.overage_id AND NOT ({_SETTLED})) THEN 'unsettled'
  WHEN {u}.occurred_at >= :horizon OR ({u}.adjusts_id IS NOT NULL
    AND EXISTS (SELECT 1 FROM ai_usages g WHERE g.adjusts_id = {u}.id)) THEN 'correction'
  END"""


def _reason(u: str) -> str:
    """The same, of its whole period and of what it corrects or is corrected by."""
    root = f"COALESCE({u}.adjusts_id, {u}.id)"
    return f"""COALESCE({_own_reason(u)}, CASE
  WHEN {u}.counter_id IN ({_UNSETTLED_COUNTERS}) THEN 'unsettled'
  WHEN EXISTS (SELECT 1 FROM ai_usages m WHERE m.adjusts_id = {root}
    AND {_own_reason("m")} IS NOT NULL) THEN 'correction'
  WHEN EXISTS (SELECT 1 FROM ai_usages m WHERE m.id = {u}.adjusts_id
    AND {_own_reason("m")} IS NOT NULL) THEN 'correction'
  END)"""


_TIMES = (bindparam("horizon", type_=UTCDateTime), bindparam("over_before", type_=UTCDateTime))
_COUNT = text(f"""
SELECT reason, COUNT(*) FROM (
  SELECT {_reason("u")} AS reason FROM ai_usages u WHERE u.occurred_at < :horizon
) found GROUP BY reason
""").bindparams(*_TIMES)
_NEXT = """
SELECT u.billable_id, u.occurred_at, u.id FROM ai_usages u
WHERE {after} u.occurred_at < :horizon AND u.adjusts_id IS NULL AND {reason} IS NULL
ORDER BY u.billable_id, u.occurred_at, u.id LIMIT :limit
"""
_FIRST = text(_NEXT.format(after="", reason=_reason("u"))).bindparams(*_TIMES)
_FOLLOWING = text(
    _NEXT.format(
        after="(u.billable_id, u.occurred_at, u.id) > (:billable, :moment, :id) AND",
        reason=_reason("u"),
    )
).bindparams(*_TIMES)

_NUMBERS = {
    "sqlite": "(SELECT value FROM json_each(:ids))",
    "postgresql": "(SELECT CAST(json_array_elements_text(CAST(:ids AS json)) AS BIGINT))",
}
_DAY = {
    "sqlite": "substr(occurred_at, 1, 10)",
    "postgresql": "to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
}
_LOCKED = {"sqlite": "", "postgresql": " FOR UPDATE SKIP LOCKED"}
_LOCKED_COUNTERS = {"sqlite": "", "postgresql": " ORDER BY id FOR NO KEY UPDATE"}
_GROUP = (
    "billable_id, subscription_id, counter_id, overage_id, provider, model, feature, tenant,"
    " billing_mode, currency"
)
_SUMMED = (*TOKEN_FIELDS, "cost", "plan_cost", "charge")
_SUMS = ", ".join(f"CAST(COALESCE(SUM({name}), 0) AS BIGINT)" for name in _SUMMED)
_REQUESTS = "CAST(SUM(CASE WHEN adjusts_id IS NULL THEN 1 ELSE 0 END) AS BIGINT)"


class Position(NamedTuple):
    """How far the walk has come. ``moment`` is as the driver gives it."""

    billable: int
    moment: Any
    id: int


class Limits(NamedTuple):
    """Usages before ``horizon`` go, if their period ended by ``over_before``."""

    horizon: datetime
    over_before: datetime


def count_old(session: Session, limits: Limits) -> dict[str | None, int]:
    """How many usages occurred before the horizon, by the reason why they stay; None: they go."""
    rows = session.connection().execute(_COUNT, limits._asdict())
    return {row[0]: int(row[1]) for row in rows}


def next_old(
    session: Session, limits: Limits, after: Position | None, limit: int
) -> list[Position]:
    """The next usages that may go, without the corrections that go with them."""
    parameters: dict[str, Any] = {**limits._asdict(), "limit": limit}
    query = _FIRST if after is None else _FOLLOWING
    if after is not None:
        parameters |= after._asdict()
    rows = session.connection().execute(query, parameters)
    return [Position(*row) for row in rows]


def prune_usages(session: Session, limits: Limits, ids: Sequence[int]) -> tuple[int, int]:
    """Replace these usages and their corrections by daily sums: (how many went, how many sums).

    What is locked, gone, or may not go any more is left alone. Counters are locked before usages,
    as recording does.
    """
    run = _Run(session)
    run(
        f"SELECT id FROM ai_usage_counters WHERE id IN"
        f" (SELECT counter_id FROM ai_usages WHERE id IN {run.numbers}){run.locked_counters}",
        ids,
    )
    roots = run(f"SELECT id FROM ai_usages WHERE id IN {run.numbers}{run.locked}", ids)
    family = run(
        f"SELECT id, id FROM ai_usages WHERE id IN {run.numbers} UNION ALL"
        f" SELECT id, adjusts_id FROM ai_usages WHERE adjusts_id IN {run.numbers}",
        [row[0] for row in roots],
    )
    staying = run(
        f"SELECT COALESCE(adjusts_id, id) FROM ai_usages u"
        f" WHERE id IN {run.numbers} AND {_own_reason('u')} IS NOT NULL",
        [row[0] for row in family],
        limits._asdict(),
    )
    kept = {row[0] for row in staying}
    going = [row[0] for row in family if row[1] not in kept]
    if not going:
        return 0, 0
    sums = run.change(
        f"INSERT INTO ai_usage_days (day, {_GROUP}, requests, {', '.join(_SUMMED)})"
        f" SELECT {run.day}, {_GROUP}, {_REQUESTS}, {_SUMS} FROM ai_usages"
        f" WHERE id IN {run.numbers} GROUP BY {run.day}, {_GROUP}",
        going,
    )
    run.change(
        f"UPDATE ai_usage_counters SET is_adjusted = true WHERE NOT is_adjusted AND id IN"
        f" (SELECT counter_id FROM ai_usages WHERE id IN {run.numbers})",
        going,
    )
    run.change(f"DELETE FROM ai_usages WHERE id IN {run.numbers}", going)
    session.connection().execute(_PRUNED_BEFORE, {"horizon": limits.horizon})
    return len(going), sums


_PRUNED_BEFORE = text(
    "UPDATE ai_installation SET pruned_before = :horizon"
    " WHERE pruned_before IS NULL OR pruned_before < :horizon"
).bindparams(_TIMES[0])


class _Run:
    """Statements on a list of ids, in the words of the session's database."""

    def __init__(self, session: Session) -> None:
        self._connection = session.connection()
        dialect = self._connection.dialect.name
        self.numbers, self.day = _NUMBERS[dialect], _DAY[dialect]
        self.locked, self.locked_counters = _LOCKED[dialect], _LOCKED_COUNTERS[dialect]

    def __call__(
        self, query: str, ids: Sequence[int], times: Mapping[str, datetime] | None = None
    ) -> Sequence[Any]:
        statement = text(query).bindparams(*_TIMES) if times is not None else text(query)
        parameters = {"ids": json.dumps(list(ids)), **(times or {})}
        return self._connection.execute(statement, parameters).all()

    def change(self, query: str, ids: Sequence[int]) -> int:
        return int(self._connection.execute(text(query), {"ids": json.dumps(list(ids))}).rowcount)
