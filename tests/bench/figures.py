"""Figures: ratios (or differences) of paired measurements, their goals, how they are told."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal

from aimeter_cli.render.noun import Column, Noun
from aimeter_cli.render.plain import plain_table


@dataclass(frozen=True, slots=True)
class Figure:
    """``ours`` and ``bare`` are medians in ``unit``; ``value`` is the median over the pairs of
    their ratio or, in ``unit``, of their difference."""

    name: str
    value: float
    goal: float
    better: Literal["less", "more"]
    ours: float
    bare: float
    unit: str
    pairs: int
    note: str = ""

    @property
    def is_met(self) -> bool:
        return self.value <= self.goal if self.better == "less" else self.value >= self.goal


def alternate(
    ours: Callable[[], float], bare: Callable[[], float], pairs: int
) -> tuple[list[float], list[float]]:
    """Measure A B A B …, after one unmeasured turn of each that fills the caches."""
    ours()
    bare()
    found = [(ours(), bare()) for _ in range(pairs)]
    return [each[0] for each in found], [each[1] for each in found]


def timed(action: Callable[[], object]) -> float:
    """Seconds that it takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def paired(
    name: str, ours: Sequence[float], bare: Sequence[float], *, unit: str, goal: float,
    better: Literal["less", "more"], by: Literal["ratio", "difference"] = "ratio", note: str = "",
) -> Figure:  # fmt: skip
    """The figure of two series that were measured in turn."""
    pairs = zip(ours, bare, strict=True)
    value = median(a / b if by == "ratio" else a - b for a, b in pairs)
    return Figure(
        name, round(value, 3), goal, better, round(median(ours), 4), round(median(bare), 4), unit,
        len(ours), note,
    )  # fmt: skip


def table(figures: Sequence[Figure]) -> str:
    """All of them as text for people."""
    return plain_table(_FIGURE, list(figures), markdown=False)


def write(figures: Sequence[Figure], file: Path) -> None:
    """``.bench/results.json``."""
    found: list[dict[str, Any]] = [asdict(each) | {"is_met": each.is_met} for each in figures]
    file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _goal(figure: Figure) -> str:
    return f"{'≤' if figure.better == 'less' else '≥'} {figure.goal}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3f}"


_FIGURE = Noun(
    "figure",
    (
        Column("name", header="Figure"),
        Column("value", get=lambda figure: f"{figure.value:.2f}"),
        Column("goal", get=_goal),
        Column("met", get=lambda figure: "yes" if figure.is_met else "NO"),
        Column("ours", get=lambda figure: _number(figure.ours)),
        Column("bare", get=lambda figure: _number(figure.bare)),
        Column("unit"),
        Column("pairs", get=lambda figure: str(figure.pairs)),
        Column("note"),
    ),
)
