"""Which columns of a table stand in the line, and how wide: numbers and ids are never broken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

GAP = 2
"""Blanks between two columns."""


@dataclass(frozen=True, slots=True)
class Need:
    """Of a column: cells that it would like, the fewest that it can do with, and its rank."""

    natural: int
    least: int
    rank: int
    is_empty: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """``widths`` of the columns in the line, by their index; the others stand ``below`` it."""

    widths: dict[int, int]
    below: tuple[int, ...]

    @property
    def width(self) -> int:
        return sum(self.widths.values()) + GAP * (len(self.widths) - 1)


def arranged(needs: Sequence[Need], width: int) -> Layout:
    """Columns leave the line, the lowest rank first, until the others fit.

    Empty ones leave it before all others, and the first column never does.
    """
    inside = list(range(len(needs)))
    leaving = sorted(inside[1:], key=lambda n: (not needs[n].is_empty, needs[n].rank, -n))
    for index in leaving:
        if _room(needs, inside, width) >= 0:
            break
        inside.remove(index)
    inside = _taken_back(needs, inside, width)
    below = tuple(n for n in range(len(needs)) if n not in inside)
    return Layout(_widths(needs, inside, width), below)


def _taken_back(needs: Sequence[Need], inside: Sequence[int], width: int) -> list[int]:
    """With those for which there is room after all, the highest rank first."""
    taken = list(inside)
    outside = [n for n in range(len(needs)) if n not in inside and not needs[n].is_empty]
    for index in sorted(outside, key=lambda n: (-needs[n].rank, n)):
        if _room(needs, [*taken, index], width) >= 0:
            taken.append(index)
    return sorted(taken)


def _room(needs: Sequence[Need], inside: Sequence[int], width: int) -> int:
    """Cells that are left when every column has its least."""
    return width - sum(needs[n].least for n in inside) - GAP * (len(inside) - 1)


def _widths(needs: Sequence[Need], inside: Sequence[int], width: int) -> dict[int, int]:
    """What is left is shared by those that want more, the most modest first."""
    widths = {n: needs[n].least for n in inside}
    room = max(0, _room(needs, inside, width))
    wanting = sorted(inside, key=lambda n: needs[n].natural - needs[n].least)
    for position, n in enumerate(wanting):
        more = min(needs[n].natural - needs[n].least, room // (len(wanting) - position))
        widths[n] += more
        room -= more
    return widths
