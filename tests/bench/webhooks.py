"""(g): a file of Stripe's events, handled; and again, when there is nothing left to do."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

from aimeter_cli.db.engine import Database
from aimeter_cli.webhooks.intake import CHUNK
from tests.bench.figures import Figure, alternate, paired
from tests.bench.fixtures import Template
from tests.bench.programs import AIMETER, bare, seconds
from tests.webhooks.many import subscribe, write_events

EVENTS = 10_000
LEAST = 1000
"""Events a second."""
_REPLAY = ("webhooks", "replay", "--format", "jsonl")
_OURS = ("ai_subscriptions", "ai_webhook_events", "ai_domain_events", "ai_billables")


def replay(folder: Path) -> Figure:
    """Events a second of ``aimeter webhooks replay`` to raw sqlite3, start-up included.

    Each file is replayed a second time, unmeasured: no row may change.
    """
    template = _template(folder)
    source = folder / "events.jsonl"
    source.write_text("\n".join(write_events(EVENTS, is_whole=True)) + "\n", encoding="utf-8")
    file = folder / "events-ours.db"
    env = {"AI_METERING_DATABASE_URL": f"sqlite:///{file}"}
    line = [AIMETER, *_REPLAY, str(source)]

    def ours() -> float:
        template.copy(file)
        return EVENTS / seconds(line, folder, env)

    def raw() -> float:
        other = template.copy(folder / "events-bare.db")
        return EVENTS / seconds([*bare("events"), str(other), str(source), str(CHUNK)], folder)

    found, others = alternate(ours, raw, pairs=5)
    before = _content(file)
    seconds(line, folder, env)
    said = f"at least {LEAST}/s" if min(found) >= LEAST else f"LESS THAN {LEAST}/s"
    again = "again: no change" if _content(file) == before else "AGAIN: ROWS CHANGED"
    return paired(
        "webhooks replay : raw sqlite3", found, others, unit="events/s", goal=0.3, better="more",
        note=f"{said}; {again}",
    )  # fmt: skip


def _template(folder: Path) -> Template:
    template = Template(folder / "events.db", subscribers=0, token_limit=1000)
    database = Database(f"sqlite:///{template.file}")
    subscribe(database, EVENTS)
    database.dispose()
    return template


def _content(file: Path) -> str:
    """A digest of what events may change."""
    digest = hashlib.sha256()
    db = sqlite3.connect(file)
    try:
        for table in _OURS:
            for row in db.execute(f"SELECT * FROM {table} ORDER BY id"):
                digest.update(repr(row).encode())
    finally:
        db.close()
    return digest.hexdigest()
