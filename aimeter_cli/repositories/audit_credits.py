"""What the audit compares of wallets: sums and chains that the database makes of the ledger.

Money is in nanos. ``billable_id`` None: everybody's.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import RowMapping, text
from sqlmodel import Session

_REF = "b.type || ':' || b.external_id AS billable"
_WALLETS = "ai_credit_wallets w JOIN ai_billables b ON b.id = w.billable_id"


def _mine(table: str) -> str:
    return f"(CAST(:billable AS BIGINT) IS NULL OR {table}.billable_id = :billable)"


_BALANCES = f"""
WITH booked AS (
  SELECT wallet_id, CAST(SUM(amount) AS BIGINT) AS nanos FROM ai_credit_transactions
  GROUP BY wallet_id
), granted AS (
  SELECT wallet_id, CAST(SUM(remaining) AS BIGINT) AS nanos FROM ai_credit_grants
  WHERE remaining > 0 GROUP BY wallet_id
)
SELECT * FROM (
  SELECT w.id, {_REF}, w.currency, w.balance, COALESCE(booked.nanos, 0) AS ledger,
    COALESCE(granted.nanos, 0) AS granted
  FROM {_WALLETS}
  LEFT JOIN booked ON booked.wallet_id = w.id
  LEFT JOIN granted ON granted.wallet_id = w.id
  WHERE {_mine("w")}
) AS found
WHERE balance <> ledger OR granted <> CASE WHEN balance > 0 THEN balance ELSE 0 END
ORDER BY id
"""

_CHAIN = f"""
WITH chained AS (
  SELECT id, wallet_id, balance_after,
    SUM(amount) OVER (PARTITION BY wallet_id ORDER BY id ROWS UNBOUNDED PRECEDING) AS expected
  FROM ai_credit_transactions
)
SELECT c.id, {_REF}, w.currency, c.balance_after, CAST(c.expected AS BIGINT) AS expected
FROM chained c JOIN ai_credit_wallets w ON w.id = c.wallet_id
JOIN ai_billables b ON b.id = w.billable_id
WHERE c.balance_after <> c.expected AND {_mine("w")}
ORDER BY c.id
"""

_REVERSED = f"""
WITH undone AS (
  SELECT reverses_id, CAST(SUM(amount) AS BIGINT) AS nanos FROM ai_credit_transactions
  WHERE reverses_id IS NOT NULL GROUP BY reverses_id
)
SELECT t.id, {_REF}, w.currency, -t.amount AS most, undone.nanos AS found
FROM undone JOIN ai_credit_transactions t ON t.id = undone.reverses_id
JOIN ai_credit_wallets w ON w.id = t.wallet_id JOIN ai_billables b ON b.id = w.billable_id
WHERE {_mine("w")} AND ((t.amount > 0 AND t.amount + undone.nanos < 0)
  OR (t.amount <= 0 AND t.amount + undone.nanos > 0))
ORDER BY t.id
"""

# A usage of which the wallet's ledger says something, or ought to.
_USAGES = f"""
WITH paid AS (
  SELECT t.usage_id, COUNT(*) AS entries, CAST(SUM(-t.amount) AS BIGINT) AS nanos,
    MIN(w.billable_id) AS payer, MAX(w.currency) AS currency
  FROM ai_credit_transactions t JOIN ai_credit_wallets w ON w.id = t.wallet_id
  WHERE t.kind = 'usage' GROUP BY t.usage_id
)
SELECT u.id, {_REF}, COALESCE(paid.currency, u.currency) AS currency, u.state,
  COALESCE(paid.entries, 0) AS entries, COALESCE(paid.nanos, 0) AS paid,
  CASE WHEN u.state = 'priced' THEN COALESCE(u.plan_cost, 0) ELSE 0 END AS expected,
  paid.payer IS NOT NULL AND paid.payer <> u.billable_id AS is_anothers
FROM ai_usages u JOIN ai_billables b ON b.id = u.billable_id
LEFT JOIN paid ON paid.usage_id = u.id
WHERE {_mine("u")} AND (u.billing_mode = 'credits' OR paid.usage_id IS NOT NULL) AND (
  COALESCE(paid.nanos, 0) <> CASE WHEN u.state = 'priced' THEN COALESCE(u.plan_cost, 0) ELSE 0 END
  OR COALESCE(paid.entries, 0) > 1
  OR (paid.usage_id IS NOT NULL AND (u.state <> 'priced' OR u.billing_mode IS NULL))
  OR (paid.usage_id IS NULL AND u.state = 'priced' AND u.cost <> 0)
  OR paid.payer <> u.billable_id
)
ORDER BY u.id
"""


def unequal_wallets(session: Session, billable_id: int | None) -> Iterator[RowMapping]:
    """Wallets whose ``balance`` is not the sum of their ``ledger``, or is not ``granted``."""
    return _rows(session, _BALANCES, billable_id)


def broken_chains(session: Session, billable_id: int | None) -> Iterator[RowMapping]:
    """Entries whose ``balance_after`` is not the sum up to them."""
    return _rows(session, _CHAIN, billable_id)


def over_reversed(session: Session, billable_id: int | None) -> Iterator[RowMapping]:
    """Entries that were reversed by more (``found``) than they are (``most``)."""
    return _rows(session, _REVERSED, billable_id)


def misjudged_usages(session: Session, billable_id: int | None) -> Iterator[RowMapping]:
    """Usages whose state is not what the ledger says: ``paid`` by so many ``entries``."""
    return _rows(session, _USAGES, billable_id)


def _rows(session: Session, query: str, billable_id: int | None) -> Iterator[RowMapping]:
    yield from session.connection().execute(text(query), {"billable": billable_id}).mappings()
