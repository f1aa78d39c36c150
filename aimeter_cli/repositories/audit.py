"""What the audit compares: sums that the database makes of usages, overages and items.

Money is in nanos. ``billable_id`` None: everybody's. Nothing here trusts a total that was stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import RowMapping, text
from sqlmodel import Session

_REF = "b.type || ':' || b.external_id AS billable"


def _mine(table: str) -> str:
    return f"(CAST(:billable AS BIGINT) IS NULL OR {table}.billable_id = :billable)"


# Of pruned usages the sums of their days are left.
_UNEQUAL_OVERAGES = f"""
WITH used AS (
  SELECT overage_id, CAST(SUM(charge) AS BIGINT) AS charged FROM (
    SELECT overage_id, charge FROM ai_usages WHERE overage_id IS NOT NULL
    UNION ALL SELECT overage_id, charge FROM ai_usage_days WHERE overage_id IS NOT NULL
  ) charges GROUP BY overage_id
)
SELECT o.id, {_REF}, o.currency, o.amount AS found, COALESCE(used.charged, 0) AS expected
FROM ai_overages o JOIN ai_billables b ON b.id = o.billable_id
LEFT JOIN used ON used.overage_id = o.id
WHERE o.amount <> COALESCE(used.charged, 0) AND {_mine("o")}
ORDER BY o.id
"""


def _stray(table: str, record: str) -> str:
    return f"""
SELECT u.id, '{record}' AS record, {_REF}, u.charge, COALESCE(c.currency, u.currency) AS currency,
  u.overage_id
FROM {table} u JOIN ai_billables b ON b.id = u.billable_id
LEFT JOIN ai_usage_counters c ON c.id = u.counter_id
LEFT JOIN ai_overages o ON o.id = u.overage_id
WHERE {_mine("u")} AND (
  (u.charge <> 0 AND o.id IS NULL)
  OR (o.id IS NOT NULL AND (c.id IS NULL OR o.counter_id <> c.id))
  OR (c.id IS NOT NULL AND c.billable_id <> u.billable_id)
)
"""


_STRAY_CHARGES = (
    f"{_stray('ai_usages', 'usage')} UNION ALL {_stray('ai_usage_days', 'daily sum')} ORDER BY 2, 1"
)

_TOKENS = (
    "input_tokens + cached_input_tokens + cache_write_tokens + output_tokens + reasoning_tokens"
)
_WAS_BEYOND = "counted.tokens > 0 AND after - counted.tokens >= c.token_limit"
_CROSSED = "after > c.token_limit AND after - counted.tokens < c.token_limit"

# Usages are numbered in the order in which they were counted: their counter is locked meanwhile.
_COUNTERS = f"""
WITH counted AS (
  SELECT counter_id, {_TOKENS} AS tokens, COALESCE(plan_cost, 0) AS cost, charge,
    SUM({_TOKENS}) OVER counting AS after, ROW_NUMBER() OVER counting AS served
  FROM ai_usages WHERE {_mine("ai_usages")}
    AND counter_id IN (SELECT id FROM ai_usage_counters WHERE NOT is_adjusted)
  WINDOW counting AS (PARTITION BY counter_id ORDER BY id ROWS UNBOUNDED PRECEDING)
), used AS (
  SELECT counted.counter_id, CAST(SUM(counted.tokens) AS BIGINT) AS tokens,
    COUNT(*) AS requests, CAST(SUM(counted.cost) AS BIGINT) AS cost,
    CAST(SUM(counted.charge) AS BIGINT) AS charged,
    CAST(SUM(CASE WHEN {_WAS_BEYOND} THEN counted.cost ELSE 0 END) AS BIGINT) AS beyond_tokens,
    CAST(SUM(CASE WHEN served > c.request_limit THEN counted.cost ELSE 0 END) AS BIGINT)
      AS beyond_requests,
    CAST(MAX(CASE WHEN {_CROSSED} THEN counted.cost END) AS BIGINT) AS crossing_cost,
    CAST(MAX(CASE WHEN {_CROSSED} THEN after - c.token_limit END) AS BIGINT) AS crossing_part,
    CAST(MAX(CASE WHEN {_CROSSED} THEN counted.tokens END) AS BIGINT) AS crossing_tokens
  FROM counted JOIN ai_usage_counters c ON c.id = counted.counter_id
  GROUP BY counted.counter_id
)
SELECT c.id, {_REF}, c.currency, c.token_limit, c.cost_limit, c.request_limit,
  c.overage_price_per_1k_tokens, c.overage_markup, c.overage_behavior,
  c.tokens, c.requests, c.cost, c.excess_token_cost, c.excess_request_cost,
  COALESCE(used.tokens, 0) AS used_tokens, COALESCE(used.requests, 0) AS used_requests,
  COALESCE(used.cost, 0) AS used_cost, COALESCE(used.charged, 0) AS charged,
  COALESCE(used.beyond_tokens, 0) AS beyond_tokens,
  COALESCE(used.beyond_requests, 0) AS beyond_requests,
  used.crossing_cost, used.crossing_part, used.crossing_tokens
FROM ai_usage_counters c JOIN ai_billables b ON b.id = c.billable_id
LEFT JOIN used ON used.counter_id = c.id
WHERE NOT c.is_adjusted AND {_mine("c")}
ORDER BY c.id
"""

_ADJUSTED_COUNTERS = f"""
WITH used AS (
  SELECT counter_id, CAST(SUM(tokens) AS BIGINT) AS tokens,
    CAST(SUM(requests) AS BIGINT) AS requests, CAST(SUM(cost) AS BIGINT) AS cost,
    CAST(SUM(charge) AS BIGINT) AS charged
  FROM (
    SELECT counter_id, {_TOKENS} AS tokens, CASE WHEN adjusts_id IS NULL THEN 1 ELSE 0 END
      AS requests, COALESCE(plan_cost, 0) AS cost, charge
    FROM ai_usages WHERE counter_id IS NOT NULL AND {_mine("ai_usages")}
    UNION ALL
    SELECT counter_id, {_TOKENS}, requests, plan_cost, charge
    FROM ai_usage_days WHERE counter_id IS NOT NULL AND {_mine("ai_usage_days")}
  ) counted GROUP BY counter_id
), charged AS (
  SELECT counter_id, CAST(SUM(amount) AS BIGINT) AS nanos FROM ai_overages
  WHERE {_mine("ai_overages")} GROUP BY counter_id
)
SELECT c.id, {_REF}, c.currency, c.tokens, c.requests, c.cost,
  COALESCE(used.tokens, 0) AS used_tokens, COALESCE(used.requests, 0) AS used_requests,
  COALESCE(used.cost, 0) AS used_cost, COALESCE(used.charged, 0) AS charged,
  COALESCE(charged.nanos, 0) AS overages
FROM ai_usage_counters c JOIN ai_billables b ON b.id = c.billable_id
LEFT JOIN used ON used.counter_id = c.id
LEFT JOIN charged ON charged.counter_id = c.id
WHERE c.is_adjusted AND {_mine("c")}
ORDER BY c.id
"""

_AMISS: dict[str, str] = {
    "is priced, but has no cost, and no adjustment tells it":
        "u.state = 'priced' AND u.cost IS NULL AND a.count IS NULL",
    "is {state}, but was adjusted": "u.state IN ('unpriced', 'needs_rate') AND a.count IS NOT NULL",
    "was adjusted {count} times": "a.count > 1",
    "is an adjustment, but counts tokens": f"u.adjusts_id IS NOT NULL AND {_TOKENS} > 0",
}  # fmt: skip

_CONVERTED = f"""
SELECT o.id, {_REF}, o.currency, o.amount, o.charge_amount, o.charge_currency, o.exchange_rate
FROM ai_overages o JOIN ai_billables b ON b.id = o.billable_id
WHERE o.charge_amount IS NOT NULL AND {_mine("o")}
  AND (o.charge_currency IS NULL OR o.charge_currency <> o.currency OR o.charge_amount <> o.amount)
ORDER BY o.id
"""

_ITEMS = f"""
WITH own AS (
  SELECT item_id, CAST(SUM(charge_amount) AS BIGINT) AS nanos, MAX(id) AS overage_id
  FROM ai_overages WHERE item_id IS NOT NULL AND status <> 'waived' GROUP BY item_id
), carried AS (
  SELECT carried_to_id, CAST(SUM(carry_out) AS BIGINT) AS nanos FROM ai_invoice_items
  WHERE carried_to_id IS NOT NULL GROUP BY carried_to_id
), sent AS (
  SELECT DISTINCT item_id, version, amount_minor FROM ai_sync_attempts WHERE item_id IS NOT NULL
)
SELECT i.id, {_REF}, i.currency, i.status, i.reason, i.is_dirty, i.is_stale, i.target_minor,
  i.confirmed_minor, i.confirmed_version, i.final_minor, i.carry_out, i.carried_to_id,
  COALESCE(own.nanos, 0) + COALESCE(carried.nanos, 0) AS total, own.overage_id,
  sent.item_id IS NOT NULL AS was_sent
FROM ai_invoice_items i JOIN ai_billables b ON b.id = i.billable_id
LEFT JOIN own ON own.item_id = i.id
LEFT JOIN carried ON carried.carried_to_id = i.id
LEFT JOIN sent ON sent.item_id = i.id AND sent.version = i.confirmed_version
  AND sent.amount_minor = i.confirmed_minor
WHERE {_mine("i")}
ORDER BY i.id
"""

# By period, too, so that no sum of one row comes near the largest amount.
_OVERAGES_BY_PLACE = f"""
SELECT {_REF}, COALESCE(o.charge_currency, o.currency) AS currency,
  CASE WHEN o.status = 'waived' THEN 'waived' WHEN o.item_id IS NOT NULL THEN 'item'
    WHEN o.external_item_id IS NOT NULL THEN 'external' WHEN o.status = 'held' THEN 'held'
    ELSE 'unsent' END AS place,
  COUNT(*) AS count, CAST(SUM(COALESCE(o.charge_amount, o.amount)) AS BIGINT) AS nanos
FROM ai_overages o JOIN ai_billables b ON b.id = o.billable_id
WHERE {_mine("o")}
GROUP BY 1, 2, 3, o.period_start
ORDER BY 1, 2, 3
"""

_MISPLACED: dict[str, str] = {
    "is of another billable, period or currency than its item":
        "o.billable_id <> i.billable_id OR o.subscription_id <> i.subscription_id"
        " OR o.period_start <> i.period_start OR o.charge_currency <> i.currency",
    "is {status}, but its item never confirmed the version that it is in":
        "o.status IN ('synced', 'carried') AND o.in_version > i.confirmed_version",
    "is synced, but its item never was at Stripe":
        "o.status = 'synced' AND i.stripe_item_id IS NULL"
        " AND (i.status <> 'closed' OR i.confirmed_version = 0)",  # a copy has forgotten the ids
    "is {status}, but its item is {item_status}: no sync takes it up":
        "(o.status = 'frozen' AND NOT (i.status IN ('sending', 'unknown')"
        " OR (i.status = 'idle' AND i.is_dirty)))"
        " OR (o.status = 'unknown' AND i.status NOT IN ('sending', 'unknown'))"
        " OR (o.status = 'failed' AND i.status NOT IN ('failed', 'sending', 'unknown'))"
        " OR (o.status = 'held' AND i.status <> 'held'"
        " AND NOT (COALESCE(o.reason, '') = 'ended_unpaid' AND i.status <> 'closed'))"
        " OR o.status IN ('open', 'needs_rate')",
}  # fmt: skip

_CARRY_AMISS: dict[str, str] = {
    "is carried into itself": "s.carried_to_id = s.id",
    "is carried into an item that does not exist": "t.id IS NULL",
    "is carried into an item of another billable or currency":
        "s.billable_id <> t.billable_id OR s.currency <> t.currency",
    "is marked as carried, and has nothing to carry":
        "s.status <> 'closed' OR COALESCE(s.carry_out, 0) = 0",
    "is carried into an item that never confirmed the version which took it":
        "s.carried_in_version > t.version OR (s.carried_in_version > t.confirmed_version"
        " AND (t.status = 'closed' OR (t.status = 'idle' AND NOT t.is_dirty)))",
}  # fmt: skip


def _first_of(problems: dict[str, str]) -> str:
    cases = " ".join(f"WHEN {where} THEN '{problem}'" for problem, where in problems.items())
    return f"CASE {cases} END"


_AMISS_USAGES = f"""
WITH a AS (
  SELECT adjusts_id, COUNT(*) AS count FROM ai_usages WHERE adjusts_id IS NOT NULL
  GROUP BY adjusts_id
)
SELECT * FROM (
  SELECT u.id, {_REF}, u.state, a.count, {_first_of(_AMISS)} AS problem
  FROM ai_usages u JOIN ai_billables b ON b.id = u.billable_id LEFT JOIN a ON a.adjusts_id = u.id
  WHERE {_mine("u")}
) found WHERE problem IS NOT NULL ORDER BY id
"""

_MISPLACED_OVERAGES = f"""
SELECT * FROM (
  SELECT o.id, {_REF}, o.status, o.item_id, i.status AS item_status,
    {_first_of(_MISPLACED)} AS problem
  FROM ai_overages o JOIN ai_billables b ON b.id = o.billable_id
  JOIN ai_invoice_items i ON i.id = o.item_id
  WHERE {_mine("o")}
) found WHERE problem IS NOT NULL ORDER BY id
"""

_DANGLING_CARRY = f"""
SELECT * FROM (
  SELECT s.id, {_REF}, s.currency, s.carry_out, s.carried_to_id,
    {_first_of(_CARRY_AMISS)} AS problem
  FROM ai_invoice_items s JOIN ai_billables b ON b.id = s.billable_id
  LEFT JOIN ai_invoice_items t ON t.id = s.carried_to_id
  WHERE s.carried_to_id IS NOT NULL AND {_mine("s")}
) found WHERE problem IS NOT NULL ORDER BY id
"""

_EXTERNAL_OF_OURS = f"""
SELECT o.id, {_REF}, o.external_item_id, i.id AS item_id
FROM ai_overages o JOIN ai_billables b ON b.id = o.billable_id
JOIN ai_invoice_items i ON i.stripe_item_id = o.external_item_id
WHERE o.external_item_id IS NOT NULL AND i.status <> 'held' AND {_mine("o")}
ORDER BY o.id
"""


def one_snapshot(session: Session) -> None:
    """Let everything that this transaction reads be of one moment; before its first statement.

    A transaction of SQLite always reads so.
    """
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")


def count_rows(session: Session, table: str, billable_id: int | None) -> int:
    """Rows of one of the tables that have a ``billable_id``."""
    query = f"SELECT COUNT(*) FROM {table} WHERE {_mine(table)}"
    return int(session.connection().execute(text(query), {"billable": billable_id}).scalar_one())


def unequal_overages(session: Session, billable_id: int | None) -> Iterator[RowMapping]:
    """Overages whose usages' charges come to another sum."""
    return _rows(session, _UNEQUAL_OVERAGES, billable_id)


def stray_charges(session: Session, billable_id: int | None) -> Iterator[RowMapping]:
    """Usages that charge without an overage, or on another counter's or billable's."""
    return _rows(session, _STRAY_CHARGES, billable_id)


def adjusted_counters(session: Session, billable_id: int | None) -> Iterator[RowMapping]:
    """Every counter that cannot be replayed, beside the sums of its usages and of pruned days."""
    return _rows(session, _ADJUSTED_COUNTERS, billable_id)


def amiss_usages(session: Session, billable_id: int | None) -> Iterator[RowMapping]:
    """Usages whose state contradicts their adjustments; ``problem`` may name columns in braces."""
    return _rows(session, _AMISS_USAGES, billable_id)


def counters(session: Session, billable_id: int | None) -> Iterator[RowMapping]:
    """Every counter that was never adjusted, beside the totals of its usages.

    ``beyond_*``: cost of the usages wholly beyond a limit; ``crossing_*``: of the one that crossed
    the token limit its cost, its tokens, and how many of them (``part``) lie beyond.
    """
    return _rows(session, _COUNTERS, billable_id)


def converted(session: Session, billable_id: int | None) -> Iterator[RowMapping]:
    """Overages whose charge is in another currency, or another amount, than the plan's."""
    return _rows(session, _CONVERTED, billable_id)


def items(session: Session, billable_id: int | None) -> Iterator[RowMapping]:
    """Every item with the ``total`` that it stands for: its overages and what was carried in.

    ``was_sent``: an attempt of ours set the amount that is confirmed.
    """
    return _rows(session, _ITEMS, billable_id)


def overages_by_place(session: Session, billable_id: int | None) -> Iterator[RowMapping]:
    """Σ overages by where they are: ``item unsent held waived external``."""
    return _rows(session, _OVERAGES_BY_PLACE, billable_id)


def misplaced_overages(session: Session, billable_id: int | None) -> Iterator[RowMapping]:
    """Overages that contradict their item; ``problem`` may name a column in braces."""
    return _rows(session, _MISPLACED_OVERAGES, billable_id)


def dangling_carry(session: Session, billable_id: int | None) -> Iterator[RowMapping]:
    """Closed items whose rest went nowhere, or to somebody else."""
    return _rows(session, _DANGLING_CARRY, billable_id)


def external_of_ours(session: Session, billable_id: int | None) -> Iterator[RowMapping]:
    """Overages charged by hand with an item that is one of ours."""
    return _rows(session, _EXTERNAL_OF_OURS, billable_id)


def _rows(session: Session, query: str, billable_id: int | None) -> Iterator[RowMapping]:
    parameters: dict[str, Any] = {"billable": billable_id}
    yield from session.connection().execute(text(query), parameters).mappings()
