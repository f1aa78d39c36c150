"""How figures of single parts are told and kept."""

from __future__ import annotations

from pathlib import Path

from tests.bench.full.figures import Figure, keep, kept, table


def test_a_figure_at_its_goal_meets_it_and_one_without_a_goal_only_informs() -> None:
    figures = [Figure("a", 5, "ms", 5), Figure("b", 5.1, "ms", 5), Figure("c", 9, "ms")]
    assert [figure.is_met for figure in figures] == [True, False, None]
    assert table(figures) == (
        "Figure    Value    Goal    Met    Note\n"
        "a         5.00 ms  ≤ 5     yes    -\n"
        "b         5.10 ms  ≤ 5     NO     -\n"
        "c         9.00 ms  -       -      -\n"
    )


def test_a_figure_of_which_more_is_better_has_its_goal_below(tmp_path: Path) -> None:
    quick, slow = (Figure("a", n, "", 0.5, better="more") for n in (0.5, 0.4))
    assert (quick.is_met, slow.is_met) == (True, False)
    assert "≥ 0.5" in table([quick])
    keep("x", [slow], tmp_path / "full.json")
    assert kept(tmp_path / "full.json", ["x"]) == [slow]


def test_a_part_replaces_its_own_figures_and_leaves_those_of_others(tmp_path: Path) -> None:
    file = tmp_path / "full.json"
    keep("x", [Figure("a", 1, "ms")], file)
    keep("y", [Figure("b", 2, "ms", 3, "noted")], file)
    keep("x", [Figure("c", 3, "s")], file)
    assert kept(file, ["y", "x"]) == [Figure("b", 2, "ms", 3, "noted"), Figure("c", 3, "s")]
