"""Raw sqlite3: parse a JSONL file, insert its usages, add each to its counter.

Arguments: database, file, price list (JSON), lines in a batch. The database has aimeter's own
tables and indexes, billables, subscriptions and counters. Same columns filled, batches of the same
size, the same pragmas. It checks nothing, charges nothing and knows no repeats: the least that the
job can cost.
"""

import json
import sqlite3
import sys
from datetime import UTC, datetime
from hashlib import blake2b

CLASSES = ("input", "cached_input", "cache_write", "output", "reasoning")

INSERT = """\
INSERT INTO ai_usages (idempotency_key, fingerprint, billable_id, subscription_id, counter_id,
 overage_id, provider, model, feature, input_tokens, cached_input_tokens, cache_write_tokens,
 output_tokens, reasoning_tokens, cost, currency, plan_cost, exchange, charge, state, occurred_at,
 recorded_at, meta)
VALUES (?, ?, ?, ?, ?, NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'usd', ?, NULL, 0, 'priced', ?, ?, NULL)
"""
UPDATE = """\
UPDATE ai_usage_counters SET tokens = tokens + ?, requests = requests + 1, cost = cost + ?
WHERE id = ?
"""
ACCOUNTS = """\
SELECT b.type || ':' || b.external_id, b.id, s.id, c.id FROM ai_billables b
JOIN ai_subscriptions s ON s.billable_id = b.id JOIN ai_usage_counters c ON c.billable_id = b.id
"""


def connect(file: str) -> sqlite3.Connection:
    """With the pragmas that aimeter uses."""
    db = sqlite3.connect(file, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        db.execute(f"PRAGMA {pragma}")
    return db


def stored(moment: datetime) -> str:
    """As SQLAlchemy writes a time to SQLite."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


def main(database: str, source: str, price_list: str, batch: str) -> None:
    db = connect(database)
    accounts = {row[0]: row[1:] for row in db.execute(ACCOUNTS)}
    prices = {
        (provider, model): [round(float(entry.get(f"{c}_per_1m", 0)) * 10**9) for c in CLASSES]
        for provider, models in json.loads(price_list).items()
        for model, entry in models.items()
    }
    now = stored(datetime.now(UTC))
    rows: list[tuple[object, ...]] = []
    sums: list[tuple[int, int, int]] = []
    with open(source, encoding="utf-8") as lines:
        for line in lines:
            usage = json.loads(line)
            billable, subscription, counter = accounts[usage["billable"]]
            tokens = [usage.get(f"{name}_tokens", 0) for name in CLASSES]
            price = prices[usage["provider"], usage["model"]]
            cost = sum(count * per for count, per in zip(tokens, price, strict=True)) // 10**6
            fingerprint = blake2b(line.encode(), digest_size=16).hexdigest()
            rows.append((
                usage["idempotency_key"], fingerprint, billable, subscription, counter,
                usage["provider"], usage["model"], usage.get("feature"), *tokens, cost, cost,
                stored(datetime.fromisoformat(usage["occurred_at"])), now,
            ))  # fmt: skip
            sums.append((sum(tokens), cost, counter))
            if len(rows) == int(batch):
                flush(db, rows, sums)
    flush(db, rows, sums)
    db.close()


def flush(
    db: sqlite3.Connection, rows: list[tuple[object, ...]], sums: list[tuple[int, int, int]]
) -> None:
    """One transaction."""
    db.execute("BEGIN IMMEDIATE")
    db.executemany(INSERT, rows)
    db.executemany(UPDATE, sums)
    db.execute("COMMIT")
    rows.clear()
    sums.clear()


if __name__ == "__main__":
    main(*sys.argv[1:])
