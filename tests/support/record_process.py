"""What a process does that records forty usages of 100 tokens for user:42, some keys shared with
the others."""

from __future__ import annotations

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.pricing import NO_PRICES
from aimeter_cli.domain.usage import usage_line
from aimeter_cli.services.recording.record import Recorder
from aimeter_cli.settings.table import Settings
from tests.support.world import NOW


def main(database_url: str, number: str) -> None:
    database = Database(database_url)
    recorder = Recorder(database, Settings(), NO_PRICES)
    mine = [f"{number}-{n}" for n in range(40)]
    theirs = [f"{(int(number) + 1) % 8}-{n}" for n in range(0, 40, 4)]
    for key in (*mine[:20], *theirs, *mine[20:]):
        line = usage_line(
            {
                "billable": "user:42", "provider": "openai", "model": "m", "input_tokens": 100,
                "cost": "0", "idempotency_key": key, "occurred_at": "2026-11-15T00:00:00Z",
            }
        )  # fmt: skip
        recorder.record_one(line, now=NOW)
    database.dispose()
