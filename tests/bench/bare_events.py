"""Raw sqlite3: parse a JSONL file of Stripe's events and insert them.

Arguments: SQLite file, file, events in a transaction. The database has aimeter's own tables and
indexes. Same columns filled, the same pragmas. It checks, orders and changes nothing: the least
that the job can cost.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

INSERT = """\
INSERT INTO ai_webhook_events (event_id, livemode, type, object_id, created, payload, digest,
status, attempts, received_at, handled_at) VALUES (?, ?, ?, ?, ?, ?, ?, 'processed', 1, ?, ?)"""

Row = tuple[Any, ...]


def main(database: str, source: str, batch: str) -> None:
    db = sqlite3.connect(database, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        db.execute(f"PRAGMA {pragma}")
    now = _stored(datetime.now(UTC))
    rows: list[Row] = []
    with open(source, encoding="utf-8") as lines:
        for line in lines:
            rows.append(_row(line, now))
            if len(rows) == int(batch):
                _flush(db, rows)
                rows = []
    _flush(db, rows)
    db.close()


def _row(line: str, now: str) -> Row:
    event = json.loads(line)
    created = _stored(datetime.fromtimestamp(event["created"], UTC))
    digest = sha256(line.encode()).hexdigest()
    object_id = event["data"]["object"]["id"]
    return (
        event["id"], event["livemode"], event["type"], object_id, created, line.strip(), digest,
        now, now,
    )  # fmt: skip


def _flush(db: sqlite3.Connection, rows: list[Row]) -> None:
    """One transaction."""
    db.execute("BEGIN IMMEDIATE")
    db.executemany(INSERT, rows)
    db.execute("COMMIT")


def _stored(moment: datetime) -> str:
    """As SQLAlchemy writes a time to SQLite."""
    return moment.replace(tzinfo=None).isoformat(" ", "microseconds")


if __name__ == "__main__":
    main(*sys.argv[1:])
