"""Bars of block characters: how large a part is beside the largest, at a glance."""

from __future__ import annotations

from decimal import Decimal

WIDTH = 16
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def bar(part: Decimal | int, largest: Decimal | int, width: int = WIDTH) -> str:
    """``largest`` fills ``width`` cells; more than nothing is at least a sliver."""
    if part <= 0 or largest <= 0:
        return ""
    eighths = max(1, int(min(part, largest) * width * 8 // largest))
    return _EIGHTHS[8] * (eighths // 8) + _EIGHTHS[eighths % 8].strip()
