"""Figures of single measurements, their goals, and the file that keeps them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from aimeter_cli.render.noun import Column, Noun
from aimeter_cli.render.plain import plain_table


@dataclass(frozen=True, slots=True)
class Figure:
    """``value`` is in ``unit`` and should be ``goal`` at the most; without a goal it informs."""

    name: str
    value: float
    unit: str
    goal: float | None = None
    note: str = ""

    @property
    def is_met(self) -> bool | None:
        return None if self.goal is None else self.value <= self.goal


def keep(part: str, figures: Iterable[Figure], file: Path) -> None:
    """Put a part's figures in the place of its earlier ones."""
    parts = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    parts[part] = [asdict(figure) | {"is_met": figure.is_met} for figure in figures]
    file.write_text(json.dumps(parts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def kept(file: Path, parts: Iterable[str]) -> list[Figure]:
    """The figures of these parts, in this order."""
    found = json.loads(file.read_text(encoding="utf-8"))
    return [
        Figure(each["name"], each["value"], each["unit"], each["goal"], each["note"])
        for part in parts
        for each in found[part]
    ]


def table(figures: Sequence[Figure]) -> str:
    """All of them as text for people."""
    return plain_table(_FIGURE, list(figures))


_MET = {None: "-", True: "yes", False: "NO"}
_FIGURE = Noun(
    "figure",
    (
        Column("name", header="Figure"),
        Column("value", get=lambda figure: f"{figure.value:,.2f} {figure.unit}".rstrip()),
        Column("goal", get=lambda figure: None if figure.goal is None else f"≤ {figure.goal:g}"),
        Column("met", get=lambda figure: _MET[figure.is_met]),
        Column("note"),
    ),
)
