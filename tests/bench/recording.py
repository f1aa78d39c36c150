"""(e): one usage at a time, each in a transaction of its own, as an application records them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.pricing import price_book
from aimeter_cli.domain.usage import usage_line
from aimeter_cli.services.recording.record import Recorder
from aimeter_cli.settings.table import Settings
from tests.bench import bare_import
from tests.bench.figures import Figure, alternate, paired, timed
from tests.bench.fixtures import PRICES, START, Template

_CALLS = 300


def record_one(folder: Path) -> Figure:
    """``Recorder.record_one`` a second to raw sqlite3 doing the same insert and counter update."""
    template = Template(folder / "record.db", subscribers=10, token_limit=10**9)
    database = Database(f"sqlite:///{template.copy(folder / 'record-ours.db')}")
    bare_file = bare_import.Sqlite(str(template.copy(folder / "record-bare.db")))
    raw, price_id = bare_file.db, bare_import.add_price(bare_file, "openai", "gpt-4o-mini")
    recorder = Recorder(database, Settings(), price_book(PRICES, "usd"))
    turns = {"ours": 0, "raw": 0}

    def ours() -> float:
        turns["ours"] += 1
        calls = [_call(turns["ours"], number) for number in range(_CALLS)]

        def run() -> None:
            for call in calls:
                recorder.record_one(usage_line(call), now=START + timedelta(days=1))

        return _CALLS / timed(run)

    def bare() -> float:
        turns["raw"] += 1
        calls = [_call(turns["raw"], number) for number in range(_CALLS)]

        def run() -> None:
            for call in calls:
                counts, row = _raw_row(call, price_id)
                raw.execute("BEGIN IMMEDIATE")
                raw.execute(bare_import.INSERT, row)
                raw.execute(bare_import.UPDATE, counts)
                raw.execute("COMMIT")

        return _CALLS / timed(run)

    try:
        found, other = alternate(ours, bare, pairs=7)
    finally:
        database.dispose()
        raw.close()
    return paired(
        "record_one : raw sqlite3", found, other, unit="calls/s", goal=0.25, better="more",
    )  # fmt: skip


def _call(turn: int, number: int) -> dict[str, object]:
    return {
        "billable": f"user:{number % 10 + 1}",
        "provider": "openai",
        "model": "gpt-4o-mini",
        "input_tokens": 900 + number,
        "output_tokens": 200,
        "idempotency_key": f"call-{turn}-{number}",
        "occurred_at": START + timedelta(seconds=number),
    }


def _raw_row(
    call: Mapping[str, object], price_id: int
) -> tuple[tuple[int, int, int], tuple[object, ...]]:
    """The parameters of the update and of the insert."""
    given, made = int(str(call["input_tokens"])), int(str(call["output_tokens"]))
    person = int(str(call["billable"])[5:])
    cost = given * 150 + made * 600
    now = bare_import.stored(START)
    row = (
        call["idempotency_key"], "0" * 32, person, person, person, None, call["provider"],
        call["model"], None, given, 0, 0, made, 0, cost, "usd", cost, None, 0, "priced", now, now,
        None, price_id,
    )  # fmt: skip
    return (given + made, cost, person), row
