"""Bars of block characters, each beside the figure that it shows; for terminals only."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from aimeter_cli.render.noun import ID, Column, Noun

if TYPE_CHECKING:
    from aimeter_cli.render.terminal import Terminal

Part = Callable[[Any], tuple[Hashable, Decimal | int]]
"""Of a row: what it is a part of, such as its currency, and how large it is."""

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_NARROWEST, _WIDEST = 6, 24
_RANK = 55
"""Of a column of bars: counts leave the line of a narrow terminal before it does, money after."""


def width_of(terminal: Terminal) -> int:
    """A twelfth of the terminal."""
    return max(_NARROWEST, min(_WIDEST, terminal.width // 12))


def bar(part: Decimal | int, largest: Decimal | int, width: int, *, is_unicode: bool = True) -> str:
    """``largest`` fills ``width`` cells; more than nothing is at least a sliver."""
    if part <= 0 or largest <= 0:
        return ""
    eighths = max(1, int(min(part, largest) * width * 8 // largest))
    if not is_unicode:
        return "#" * max(1, eighths // 8)
    return _EIGHTHS[8] * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def percent(part: Decimal | int, whole: Decimal | int) -> str:
    """``45 %``, rounded down; ``<1 %`` of more than nothing; nothing of nothing."""
    if part <= 0 or whole <= 0:
        return ""
    return f"{int(100 * part // whole)} %" if 100 * part >= whole else "<1 %"


def share_column(rows: Iterable[Any], part: Part, terminal: Terminal) -> Column:
    """How large a part of its whole each row is, in percent, and a bar beside the largest one.

    Parts of two wholes are never compared.
    """
    wholes: dict[Hashable, Decimal] = {}
    largest: dict[Hashable, Decimal] = {}
    for row in rows:
        whole, size = part(row)
        wholes[whole] = wholes.get(whole, Decimal(0)) + size
        largest[whole] = max(largest.get(whole, Decimal(0)), Decimal(size))

    def get(row: Any) -> str:
        whole, size = part(row)
        drawn = bar(size, largest[whole], width_of(terminal), is_unicode=terminal.is_unicode)
        return f"{percent(size, wholes[whole]):>5} {drawn}".rstrip()

    return Column("share", ID, get=get, none="", priority=_RANK)


def with_gauge(noun: Noun, name: str, terminal: Terminal) -> Noun:
    """The noun with a bar beside a column of percent: the whole bar is the limit."""
    told = noun.column(name)

    def get(row: Any) -> str | None:
        value = told.value(row)
        if value is None:
            return None
        width = width_of(terminal)
        filled = bar(value, 100, width, is_unicode=terminal.is_unicode)
        rest = "░" if terminal.is_unicode else "."
        return f"{value} % {filled}{rest * (width - len(filled))}"

    shown = replace(told, kind=ID, get=get)
    return replace(noun, columns=tuple(shown if each is told else each for each in noun.columns))
