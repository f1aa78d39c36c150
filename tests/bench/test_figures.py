"""How measurements become figures."""

from __future__ import annotations

import json
from pathlib import Path

from tests.bench.figures import alternate, paired, table, write


def test_measurements_alternate_after_an_unmeasured_turn_of_each() -> None:
    turns: list[str] = []
    numbers = iter(range(1, 100))

    def turn(name: str) -> float:
        turns.append(name)
        return next(numbers)

    ours, bare = alternate(lambda: turn("A"), lambda: turn("B"), 2)
    assert turns == ["A", "B", "A", "B", "A", "B"]
    assert (ours, bare) == ([3, 5], [4, 6])


def test_the_ratio_is_the_median_of_the_pairs_ratios() -> None:
    figure = paired("x", [2, 9, 4], [1, 3, 4], unit="s", goal=1.3, better="less")
    assert (figure.value, figure.ours, figure.bare) == (2, 4, 3)


def test_a_difference_is_told_in_the_unit_of_both() -> None:
    added = paired("x", [2.5, 9, 4], [1, 3, 4], unit="ms", goal=1, better="less", by="difference")
    assert (added.value, added.unit, added.is_met) == (1.5, "ms", False)


def test_a_goal_is_met_from_its_own_side() -> None:
    slow = paired("x", [3], [2], unit="s", goal=1.3, better="less")
    quick = paired("y", [3], [2], unit="rows/s", goal=0.5, better="more")
    assert (slow.is_met, quick.is_met) == (False, True)


def test_a_missed_goal_stands_out_in_the_table_and_the_file(tmp_path: Path) -> None:
    slow = paired("x", [3], [2], unit="s", goal=1.3, better="less")
    assert "NO" in table([slow])
    write([slow], tmp_path / "results.json")
    [found] = json.loads((tmp_path / "results.json").read_text())
    assert (found["name"], found["value"], found["is_met"]) == ("x", 1.5, False)
