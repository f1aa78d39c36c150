"""A chart of columns over time, as SVG; its words are HTML, so that they keep their size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from aimeter_cli.render.html.markup import LINE, Markup, element

_HEIGHT = 1000
_FEWEST = 8
"""A chart is as wide as if it had so many columns, at least."""
_LABELS = 6
_STEPS = (2, 3, 4, 6, 8, 10, 12, 16, 20)
"""Halves of a power of ten."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A column: how high it is, what stands under it, and what it says in full."""

    size: Decimal
    label: str
    title: str


def chart(key: str, title: str, description: str, marks: Sequence[Mark]) -> Markup:
    """``key`` makes its ids unique on the page; negative columns are drawn as 0."""
    top = scale(max((mark.size for mark in marks), default=Decimal(0)))
    slots = max(len(marks), _FEWEST)
    before = (slots - len(marks)) // 2
    every = -(-len(marks) // _LABELS)
    columns = [_column(10 * (before + number), mark, top) for number, mark in enumerate(marks)]
    svg = element(
        "svg",
        element("title", title, id=f"{key}-title"),
        element("desc", description, id=f"{key}-desc"),
        [_line(height, 10 * slots) for height in (0, _HEIGHT // 2, _HEIGHT)],
        LINE, columns,
        viewBox=f"0 0 {10 * slots} {_HEIGHT}", preserveAspectRatio="none", role="img",
        aria_labelledby=f"{key}-title {key}-desc",
    )  # fmt: skip
    labels = [""] * slots
    labels[before : before + len(marks)] = [
        mark.label if number % every == 0 else "" for number, mark in enumerate(marks)
    ]
    return element(
        "div",
        _axis("y", [compact(top), compact(top / 2), "0"]),
        svg,
        _axis("x", labels),
        class_="plot",
    )


def scale(largest: Decimal) -> Decimal:
    """The next round number, whose half is one, too; 1 where there is nothing."""
    if largest <= 0:
        return Decimal(1)
    power = Decimal(1).scaleb(largest.adjusted())
    return next(power * step / 2 for step in _STEPS if power * step / 2 >= largest)


def compact(number: Decimal) -> str:
    """``2.5M``: a round number in few letters."""
    for power, letter in ((12, "T"), (9, "G"), (6, "M"), (3, "k")):
        if number >= 10**power:
            return f"{_plain(number.scaleb(-power))} {letter}"
    return _plain(number)


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _column(x: int, mark: Mark, top: Decimal) -> Markup | None:
    height = int(_HEIGHT * mark.size / top) if mark.size > 0 else 0
    if mark.size > 0:
        height = max(height, 5)
    return element(
        "rect", element("title", mark.title),
        x=x + 1, y=_HEIGHT - height, width=8, height=height,
    )  # fmt: skip


def _line(height: int, width: int) -> Markup:
    return element("line", x1=0, x2=width, y1=height, y2=height)


def _axis(name: str, labels: Sequence[str]) -> Markup:
    each = [element("span", label) for label in labels]
    return element("div", each, class_=f"axis {name}", aria_hidden="true")
