"""Bars: how large a part is, beside the figure that says it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from aimeter_cli.render.bars import bar, percent, share_column, width_of, with_gauge
from aimeter_cli.render.noun import NUMBER, Column, Noun
from aimeter_cli.render.terminal import Terminal

WIDE = Terminal(96, color=False, now=None)
PLAIN = Terminal(96, color=False, now=None, is_unicode=False)


@pytest.mark.parametrize(
    ("part", "largest", "shown"),
    [
        (8, 8, "████"),
        (4, 8, "██"),
        (Decimal("3.75"), 8, "█▉"),
        (Decimal("0.000000001"), 10**12, "▏"),
        (0, 8, ""),
        (-1, 8, ""),
        (5, 0, ""),
        (9, 8, "████"),
    ],
)
def test_a_bar_is_as_long_as_its_part_is_large(
    part: Decimal | int, largest: int, shown: str
) -> None:
    assert bar(part, largest, 4) == shown


@pytest.mark.parametrize(
    ("part", "whole", "told"),
    [
        (1, 3, "33 %"), (Decimal("0.999"), 100, "<1 %"), (1, 100, "1 %"), (7, 7, "100 %"),
        (0, 7, ""), (1, 0, ""), (-1, 7, ""),
    ],
)  # fmt: skip
def test_a_percentage_is_never_more_than_there_is(
    part: Decimal | int, whole: int, told: str
) -> None:
    assert percent(part, whole) == told


@pytest.mark.parametrize(("columns", "cells"), [(20, 6), (80, 6), (160, 13), (1000, 24)])
def test_bars_grow_with_the_terminal(columns: int, cells: int) -> None:
    assert width_of(Terminal(columns, color=False, now=None)) == cells


def test_shares_are_of_their_own_currency() -> None:
    rows = [("usd", 30), ("usd", 10), ("eur", 1), ("eur", 0)]
    column = share_column(rows, lambda row: row, WIDE)
    assert [column.value(row) for row in rows] == [
        " 75 % ████████", " 25 % ██▋", "100 % ████████", "",
    ]  # fmt: skip


def test_a_terminal_without_block_characters_gets_others() -> None:
    assert bar(3, 4, 4, is_unicode=False) == "###"
    assert bar(1, 10**6, 4, is_unicode=False) == "#"
    noun = with_gauge(Noun("check", (Column("used", NUMBER),)), "used", PLAIN)
    assert noun.column("used").value({"used": Decimal("50.00")}) == "50.00 % ####...."


@pytest.mark.parametrize(
    ("used", "shown"),
    [
        (Decimal("25.00"), "25.00 % ██░░░░░░"),
        (Decimal("269.96"), "269.96 % ████████"),
        (Decimal(0), "0 % ░░░░░░░░"),
        (None, None),
    ],
)
def test_a_gauge_is_full_at_the_limit(used: Decimal | None, shown: str | None) -> None:
    noun = with_gauge(Noun("check", (Column("used", NUMBER),)), "used", WIDE)
    assert noun.column("used").value({"used": used}) == shown
