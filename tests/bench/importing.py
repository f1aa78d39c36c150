"""(c): a file of usages."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from aimeter_cli.services.recording.import_file import BATCH
from tests.bench.figures import Figure, alternate, paired
from tests.bench.fixtures import PRICES, Template, write_usage
from tests.bench.programs import AIMETER, bare, seconds

LINES = 200_000
_SUBSCRIBERS = 100
_TOKEN_LIMIT = 4_500_000
"""About a fifth of the calls lie beyond it, so that ours charges, too; the bare one never does."""


def import_file(folder: Path) -> Figure:
    """Lines a second of ``aimeter usage import`` to those of raw sqlite3, start-up included."""
    template = Template(folder / "import.db", subscribers=_SUBSCRIBERS, token_limit=_TOKEN_LIMIT)
    source = folder / "usage.jsonl"
    write_usage(source, lines=LINES, subscribers=_SUBSCRIBERS)

    def ours() -> float:
        file = template.copy(folder / "import-ours.db")
        env = {
            "AI_METERING_DATABASE_URL": f"sqlite:///{file}",
            "AI_METERING_PRICES": json.dumps(PRICES),
        }
        line = [AIMETER, "usage", "import", str(source), "--as-of", "2026-11-01"]
        spent = seconds(line, folder, env)
        _check(file)
        return LINES / spent

    def raw() -> float:
        file = template.copy(folder / "import-bare.db")
        line = [*bare("import"), str(file), str(source), json.dumps(PRICES), str(BATCH)]
        spent = seconds(line, folder)
        _check(file)
        return LINES / spent

    found, other = alternate(ours, raw, pairs=5)
    same = _sums(folder / "import-ours.db") == _sums(folder / "import-bare.db")
    note = "same counters" if same else "COUNTERS DIFFER"
    return paired(
        "usage import : raw sqlite3", found, other, unit="lines/s", goal=0.6, better="more",
        note=note,
    )  # fmt: skip


def _check(file: Path) -> None:
    db = sqlite3.connect(file)
    try:
        [count] = db.execute("SELECT COUNT(*) FROM ai_usages").fetchone()
    finally:
        db.close()
    if count != LINES:
        raise RuntimeError(f"{file} has {count} usages, not {LINES}")


def _sums(file: Path) -> list[tuple[int, int, int]]:
    db = sqlite3.connect(file)
    try:
        return db.execute("SELECT id, tokens, requests FROM ai_usage_counters").fetchall()
    finally:
        db.close()
