"""Raw sqlite3, or psycopg with COPY: parse a JSONL file, insert its usages, count each.

Arguments: SQLite file or PostgreSQL URL, file, price list (JSON), lines in a batch. The database
has aimeter's own tables and indexes, billables, subscriptions and counters. Same columns filled,
batches of the same size, the same pragmas. It checks nothing, charges nothing and knows no repeats:
the least that the job can cost.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

CLASSES = ("input", "cached_input", "cache_write", "output", "reasoning")
COLUMNS = """\
idempotency_key, fingerprint, billable_id, subscription_id, counter_id, overage_id, provider, model,
feature, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
cost, currency, plan_cost, exchange, charge, state, occurred_at, recorded_at, meta, price_id"""
INSERT = f"INSERT INTO ai_usages ({COLUMNS}) VALUES ({', '.join('?' * 24)})"
UPDATE = """\
UPDATE ai_usage_counters SET tokens = tokens + ?, requests = requests + 1, cost = cost + ?
WHERE id = ?"""
UPDATE_BY = """\
UPDATE ai_usage_counters SET tokens = tokens + ?, requests = requests + ?, cost = cost + ?
WHERE id = ?"""
PRICE = """\
INSERT INTO ai_prices (digest, provider, model, currency, source, created_at)
VALUES (?, ?, ?, 'usd', 'bare', '2026-10-01 00:00:00.000000') RETURNING id"""
ACCOUNTS = """\
SELECT b.type || ':' || b.external_id, b.id, s.id, c.id FROM ai_billables b
JOIN ai_subscriptions s ON s.billable_id = b.id JOIN ai_usage_counters c ON c.billable_id = b.id"""

Row = tuple[Any, ...]


class Sqlite:
    """With the pragmas that aimeter uses."""

    def __init__(self, file: str) -> None:
        self.db = sqlite3.connect(file, isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            self.db.execute(f"PRAGMA {pragma}")

    def rows(self, statement: str, *parameters: object) -> list[Any]:
        return self.db.execute(statement, parameters).fetchall()

    def flush(self, usages: list[Row], counts: list[Row]) -> None:
        """One transaction."""
        self.db.execute("BEGIN IMMEDIATE")
        self.db.executemany(INSERT, usages)
        self.db.executemany(UPDATE, counts)
        self.db.execute("COMMIT")


class Copy:
    def __init__(self, url: str) -> None:
        import psycopg

        self.db: psycopg.Connection[Any] = psycopg.connect(url, autocommit=True)

    def rows(self, statement: str, *parameters: object) -> list[Any]:
        return self.db.execute(statement.replace("?", "%s"), parameters).fetchall()

    def flush(self, usages: list[Row], counts: list[Row]) -> None:
        """One transaction, which updates each counter once: PostgreSQL keeps every version."""
        sums: dict[int, list[int]] = {}
        for tokens, cost, counter in counts:
            found = sums.setdefault(counter, [0, 0, 0])
            found[0] += tokens
            found[1] += 1
            found[2] += cost
        with self.db.transaction(), self.db.cursor() as cursor:
            with cursor.copy(f"COPY ai_usages ({COLUMNS}) FROM STDIN") as copy:
                for row in usages:
                    copy.write_row(row)
            rows = [(*sums[counter], counter) for counter in sorted(sums)]
            cursor.executemany(UPDATE_BY.replace("?", "%s"), rows)


def stored(moment: datetime) -> str:
    """As SQLAlchemy writes a time to SQLite; PostgreSQL takes it as it is, its zone being UTC."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


def add_price(target: Sqlite | Copy, provider: str, model: str) -> int:
    """The row that usages of a model are linked to; its id."""
    return int(target.rows(PRICE, f"{provider}/{model}", provider, model)[0][0])


def parsed(target: Sqlite | Copy, source: str, price_list: str) -> Iterator[tuple[Row, Row]]:
    """Of each line the parameters of INSERT and of UPDATE."""
    accounts = {row[0]: row[1:] for row in target.rows(ACCOUNTS)}
    prices = {
        (provider, model): (
            add_price(target, provider, model),
            [round(float(entry.get(f"{c}_per_1m", 0)) * 10**9) for c in CLASSES],
        )
        for provider, models in json.loads(price_list).items()
        for model, entry in models.items()
    }
    now = stored(datetime.now(UTC))
    with open(source, encoding="utf-8") as lines:
        for line in lines:
            usage = json.loads(line)
            billable, subscription, counter = accounts[usage["billable"]]
            tokens = [usage.get(f"{name}_tokens", 0) for name in CLASSES]
            price_id, price = prices[usage["provider"], usage["model"]]
            cost = sum(count * per for count, per in zip(tokens, price, strict=True)) // 10**6
            fingerprint = blake2b(line.encode(), digest_size=16).hexdigest()
            row = (
                usage["idempotency_key"], fingerprint, billable, subscription, counter, None,
                usage["provider"], usage["model"], usage.get("feature"), *tokens, cost, "usd",
                cost, None, 0, "priced", stored(datetime.fromisoformat(usage["occurred_at"])), now,
                None, price_id,
            )  # fmt: skip
            yield row, (sum(tokens), cost, counter)


def main(database: str, source: str, price_list: str, batch: str) -> None:
    target = Copy(database) if database.startswith("postgresql:") else Sqlite(database)
    usages: list[Row] = []
    counts: list[Row] = []
    for usage, count in parsed(target, source, price_list):
        usages.append(usage)
        counts.append(count)
        if len(usages) == int(batch):
            target.flush(usages, counts)
            usages, counts = [], []
    target.flush(usages, counts)
    target.db.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
