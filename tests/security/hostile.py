"""Texts that mean harm, and how to see whether an output passes it on."""

from __future__ import annotations

import csv
import io
import re
from decimal import Decimal, InvalidOperation

TEXTS = {
    "markup": "[red]x[/red][link=https://evil.example]y[/link][/]",
    "osc8": "\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\",
    "title": "\x1b]0;owned\x07\x1b[2J\x1b[31m",
    "c1": "\x9b31m\x9d0;title\x9c",
    "bidi": "abc\u202etxt.exe\u202c\u2066x\u2069\u200f",
    "zero width": "pay\u200bpal\u200d\ufeff",
    "formula": "=cmd|' /C calc'!A0",
    "plus": "+1+cmd",
    "minus": "-2+3+cmd|x",
    "at": "@SUM(1+1)*cmd",
    "tab": "\t=1+1",
    "return": "\r=1+1",
    "wide": "\uff1dcmd|x",
    "lines": "one\ntwo\u2028three\u0085four",
    "markdown": "|a|`b`<script>alert(1)</script>![x](https://evil.example)",
    "quotes": "\"'\\;DROP TABLE ai_usages;--%s%(x)s{0}",
    "surrogates": "\udcff\udc9b31m",
    "nul": "a\x00b",
    "long": "W" * 20_000,
    "right to left": "مرحبا بالعالم" + "e" + "\u0301" * 50,
}
"""By what they try."""

_RAW = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029"
    "\ud800-\udfff]"
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def raw(text: str) -> str | None:
    """The first character in ``text`` that a terminal would obey, with what is around it."""
    found = _RAW.search(text)
    return None if found is None else repr(text[max(found.start() - 40, 0) : found.end() + 20])


def formulas(text: str, delimiter: str) -> list[str]:
    """Cells of a sheet that a spreadsheet would compute."""
    cells = [cell for row in csv.reader(io.StringIO(text), delimiter=delimiter) for cell in row]
    return [cell for cell in cells if cell.startswith(_FORMULA) and not _is_number(cell)]


def _is_number(cell: str) -> bool:
    try:
        return Decimal(cell).is_finite()
    except InvalidOperation:
        return False
