"""What must hold of every screen, read from the text of a golden file alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from tests.screens.capture import ERR

ID = re.compile(
    r"\b(?:(?:cus|sub|ii|in|evt|req|price|dp)_[A-Za-z0-9]{8,}|(?:user|team|org):[\w-]+"
    r"|[0-9a-f]{32,})\b"
)
_AMOUNT = re.compile(r"(?<=  )-?[\d,]+(?:\.\d+)? [A-Z]{3}(?=  |$)")
_NAMES_OF_PYTHON = re.compile(r"\b(None|True|False|Decimal\(|datetime\.|<[\w.]+ object)")
_RULE = re.compile(r"─+")


def said(text: str) -> list[str]:
    """The lines of stdout, without what was typed."""
    return [line for line in text.splitlines()[1:] if not line.startswith(ERR)]


def too_wide(text: str, width: int) -> list[str]:
    """Lines that the terminal would have to break, though there is a blank to break them at."""
    return [line for line in said(text) if len(line) > width and " " in line.strip()]


def python_names(text: str) -> list[str]:
    return [match[0] for match in _NAMES_OF_PYTHON.finditer("\n".join(said(text)))]


def ids(text: str) -> set[str]:
    """Every id that stands whole on a line of stdout."""
    return {match[0] for line in said(text) for match in ID.finditer(line)}


def ragged_amounts(text: str) -> Iterator[str]:
    """Amounts of tables that do not end where the heading of their column ends."""
    lines = [*said(text), ""]
    ends: set[int] | None = None
    for before, line in pairwise(lines):
        if not line:
            ends = None
        elif _RULE.fullmatch(line):
            ends = {match.end() for match in re.finditer(r"\S+(?= |$)", before)}
        elif ends is not None and not re.match(r" {4}\S+.*: ", line):
            yield from (
                f"{match[0]!r} of {line!r}"
                for match in _AMOUNT.finditer(line)
                if match.end() not in ends
            )
