"""Bars: how large a part is beside the largest."""

from __future__ import annotations

from decimal import Decimal

import pytest

from aimeter_cli.render.bars import bar


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
