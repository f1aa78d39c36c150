"""``usage import`` at scale: on PostgreSQL against raw COPY, and its memory by the file's size."""

from __future__ import annotations

import json
import time
from pathlib import Path

from sqlalchemy.engine import make_url

from aimeter_cli.db.engine import Database
from aimeter_cli.migrations.upgrade import upgrade
from aimeter_cli.services.recording.import_file import BATCH
from tests.bench.figures import alternate, paired
from tests.bench.fixtures import PRICES, Template, add_people, write_usage
from tests.bench.full import postgresql
from tests.bench.full.figures import Figure
from tests.bench.programs import AIMETER, bare, peak_memory, seconds

LINES = 100_000
SUBSCRIBERS = 100
_TOKEN_LIMIT = 2_000_000
"""About a fifth of the calls lie beyond it, so that ours charges, too; the bare one never does."""

_MEGABYTE = 10**6
LINE_BYTES = {True: 254, False: 209}
"""With a key, and without."""
_MOST_MEMORY = 200
_IMPORT = ("usage", "import", "--as-of", "2026-11-01")


def on_postgresql(folder: Path) -> list[Figure]:
    """Lines a second of the command to those of raw COPY, start-up included."""
    source = folder / "usage.jsonl"
    write_usage(source, lines=LINES, subscribers=SUBSCRIBERS)
    with postgresql.server() as url:
        return [speed(folder, source, url, lines=LINES)]


def speed(folder: Path, source: Path, url: str, *, lines: int, pairs: int = 5) -> Figure:
    database = Database(url)
    upgrade(database)
    add_people(database, SUBSCRIBERS, _TOKEN_LIMIT)
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    sums: dict[str, list[tuple[int, ...]]] = {}

    def ours() -> float:
        _empty(database)
        env = {"AI_METERING_DATABASE_URL": url, "AI_METERING_PRICES": json.dumps(PRICES)}
        spent = seconds([AIMETER, *_IMPORT, str(source)], folder, env)
        sums["ours"] = _counted(database, lines)
        return lines / spent

    def copied() -> float:
        _empty(database)
        line = [*bare("import"), plain, str(source), json.dumps(PRICES), str(BATCH)]
        spent = seconds(line, folder)
        sums["bare"] = _counted(database, lines)
        return lines / spent

    try:
        found, other = alternate(ours, copied, pairs)
    finally:
        database.dispose()
    ratio = paired("", found, other, unit="lines/s", goal=0.5, better="more")
    same = "same counters" if sums["ours"] == sums["bare"] else "COUNTERS DIFFER"
    return Figure(
        "PostgreSQL: usage import : raw COPY", ratio.value, "", ratio.goal,
        f"{ratio.ours:,.0f} to {ratio.bare:,.0f} lines/s, {ratio.pairs} pairs, {same}",
        better="more",
    )  # fmt: skip


def memory_100_mb(folder: Path) -> list[Figure]:
    return [*memory_of_keyed(folder, 100), *memory_of_keyless(folder, 100)]


def memory_of_keyed(folder: Path, megabytes: int = 1000) -> list[Figure]:
    """The largest resident set of ``usage import`` of a file whose lines have keys."""
    return [_memory(folder, megabytes, "lines with keys", has_keys=True)]


def memory_of_keyless(folder: Path, megabytes: int = 1000) -> list[Figure]:
    """The same without: aimeter itself has to tell equal lines of one file apart."""
    return [_memory(folder, megabytes, "without keys", has_keys=False)]


def _memory(folder: Path, megabytes: int, what: str, *, has_keys: bool) -> Figure:
    source = folder / "usage.jsonl"
    lines = megabytes * _MEGABYTE // LINE_BYTES[has_keys]
    write_usage(source, lines=lines, subscribers=SUBSCRIBERS, has_keys=has_keys)
    size = source.stat().st_size / _MEGABYTE
    template = Template(folder / "t.db", subscribers=SUBSCRIBERS, token_limit=_TOKEN_LIMIT)
    env = {
        "AI_METERING_DATABASE_URL": f"sqlite:///{template.copy(folder / 'memory.db')}",
        "AI_METERING_PRICES": json.dumps(PRICES),
    }
    began = time.perf_counter()
    peak = peak_memory([AIMETER, *_IMPORT, str(source)], folder, env)
    spent = time.perf_counter() - began
    source.unlink()
    return Figure(
        f"usage import of {megabytes:,} MB, {what}: memory", round(peak, 1), "MB", _MOST_MEMORY,
        f"{size:,.0f} MB, {lines:,} lines in {spent:.0f} s on SQLite, peak resident",
    )  # fmt: skip


def _empty(database: Database) -> None:
    """Back to the people and their counters, which have counted nothing."""
    with database.engine.begin() as connection:
        connection.exec_driver_sql(
            "TRUNCATE ai_usages, ai_overages, ai_prices, ai_domain_events CASCADE"
        )
        connection.exec_driver_sql(
            "UPDATE ai_usage_counters SET tokens = 0, requests = 0, cost = 0,"
            " excess_token_cost = 0, excess_request_cost = 0, approached_at = NULL,"
            " reached_at = NULL"
        )


def _counted(database: Database, lines: int) -> list[tuple[int, ...]]:
    """Tokens, requests and cost by counter. Raises RuntimeError if usages are missing."""
    with database.engine.connect() as connection:
        count = connection.exec_driver_sql("SELECT count(*) FROM ai_usages").scalar_one()
        sums = connection.exec_driver_sql(
            "SELECT id, tokens, requests, cost FROM ai_usage_counters ORDER BY id"
        ).all()
    if count != lines:
        raise RuntimeError(f"there are {count} usages, not {lines}")
    return [tuple(row) for row in sums]
