"""The sync at the rate limit, in small, and what is told of it."""

from __future__ import annotations

from pathlib import Path

from tests.bench.full.limit import Load, Spent, figures, run


def test_a_run_reaches_every_item_and_is_refused_nothing(tmp_path: Path) -> None:
    load = Load(billables=4, days=2, each=3, latency_ms=1)
    spent = run(tmp_path, load)
    assert set(spent.statuses) == {200}
    assert spent.items == load.items == 8
    assert len(spent.statuses) >= load.items
    assert spent.cpu > 0
    assert spent.wall > 0


def test_time_is_told_against_requests_by_the_configured_rate() -> None:
    load = Load(billables=20, days=2, each=5)
    time, core, refused = figures(load, Spent(2.5, 0.25, [200] * 39 + [429], 40))
    assert (time.value, time.goal) == (1.25, 1.1)
    assert (core.value, core.goal) == (10, 20)
    assert (refused.value, refused.is_met) == (1, False)
