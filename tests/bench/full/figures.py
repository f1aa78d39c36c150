"""Figures of single measurements, their goals, and the file that keeps them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal

from aimeter_cli.render.noun import Column, Noun
from aimeter_cli.render.plain import plain_table


@dataclass(frozen=True, slots=True)
class Figure:
    """``value`` is in ``unit`` and should be ``goal`` at the most, or at the least where more is
    better; without a goal it informs."""

    name: str
    value: float
    unit: str
    goal: float | None = None
    note: str = ""
    better: Literal["less", "more"] = "less"

    @property
    def is_met(self) -> bool | None:
        if self.goal is None:
            return None
        return self.value <= self.goal if self.better == "less" else self.value >= self.goal


def keep(part: str, figures: Iterable[Figure], file: Path) -> None:
    """Put a part's figures in the place of its earlier ones."""
    parts = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    parts[part] = [asdict(figure) | {"is_met": figure.is_met} for figure in figures]
    file.write_text(json.dumps(parts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def kept(file: Path, parts: Iterable[str]) -> list[Figure]:
    """The figures of these parts, in this order."""
    found = json.loads(file.read_text(encoding="utf-8"))
    return [
        Figure(**{field.name: each[field.name] for field in fields(Figure) if field.name in each})
        for part in parts
        for each in found[part]
    ]


def table(figures: Sequence[Figure]) -> str:
    """All of them as text for people."""
    return plain_table(_FIGURE, list(figures))


def _goal(figure: Figure) -> str | None:
    if figure.goal is None:
        return None
    return f"{'≤' if figure.better == 'less' else '≥'} {figure.goal:g}"


_MET = {None: "-", True: "yes", False: "NO"}
_FIGURE = Noun(
    "figure",
    (
        Column("name", header="Figure"),
        Column("value", get=lambda figure: f"{figure.value:,.2f} {figure.unit}".rstrip()),
        Column("goal", get=_goal),
        Column("met", get=lambda figure: _MET[figure.is_met]),
        Column("note"),
    ),
)
