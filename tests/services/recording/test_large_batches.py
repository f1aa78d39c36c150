"""A batch of an import is stored as its lines would be one by one."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from aimeter_cli.domain.pricing import NO_PRICES
from aimeter_cli.domain.usage import UsageLine, usage_line
from aimeter_cli.models.usages import Usage, UsageCounter
from aimeter_cli.services.recording.batch import Batch
from aimeter_cli.services.recording.record import Recorder
from tests.support.world import World

ODD = 'tab\t, new\nline, \\., \\N, quotes \'"", %s ?, ünïcode \u2028 🎉'


def _lines(count: int, prefix: str = "k") -> list[UsageLine]:
    said: dict[str, Any] = {
        "billable": "user:42", "provider": "openai", "model": "gpt-4o-mini", "cost": "0.1",
        "occurred_at": "2026-11-10T00:00:00.250Z", "meta": {ODD: ODD},
    }  # fmt: skip
    return [
        usage_line(
            said | {"idempotency_key": f"{prefix}{n} \\t%", "input_tokens": n, "feature": feature}
        )
        for n, feature in zip(range(count), [None, "chat"] * count, strict=False)
    ]


def _stored(world: World) -> list[dict[str, Any]]:
    rows = sorted(world.rows(Usage), key=lambda row: row.input_tokens)
    return [row.model_dump(exclude={"id", "idempotency_key"}) for row in rows]


def test_what_is_stored_of_a_line_does_not_depend_on_the_size_of_its_batch(
    any_world: World,
) -> None:
    any_world.subscriber(plan=any_world.plan(), customer=None)
    recorder = Recorder(any_world.database, any_world.settings, NO_PRICES)
    recorder.record(_lines(60), now=any_world.now)
    [together] = any_world.rows(UsageCounter)
    large = _stored(any_world)
    with any_world.database.engine.begin() as connection:
        for statement in (
            "DELETE FROM ai_usages", "DELETE FROM ai_overages", "DELETE FROM ai_domain_events",
            "DELETE FROM ai_usage_counters",
        ):  # fmt: skip
            connection.exec_driver_sql(statement)
    for line in _lines(60):
        recorder.record([line], now=any_world.now)
    [alone] = any_world.rows(UsageCounter)
    small = _stored(any_world)
    for row in large + small:
        del row["overage_id"], row["counter_id"]
    assert small == large
    assert json.loads(large[59]["meta"]) == {ODD: ODD}
    assert (alone.tokens, alone.requests, alone.cost) == (
        together.tokens, together.requests, together.cost,
    )  # fmt: skip


def test_of_two_large_batches_at_once_with_the_same_keys_one_changes_nothing(
    any_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No subscription, so no counter orders them: only the keys can tell."""
    begun = threading.Barrier(2, timeout=20)
    real = Batch.record
    waited = threading.local()

    def together(batch: Any, lines: Any) -> Any:
        if not any_world.database.is_sqlite and not getattr(waited, "done", False):
            waited.done = True
            batch._session.connection().exec_driver_sql("SELECT 1")
            begun.wait()
        return real(batch, lines)

    monkeypatch.setattr(Batch, "record", together)
    found: list[int] = []

    def run() -> None:
        recorder = Recorder(any_world.database, any_world.settings, NO_PRICES)
        results = recorder.record(_lines(200), now=any_world.now)
        found.append(sum(each.is_new for each in results))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [0, 200]
    assert len(any_world.rows(Usage)) == 200
