"""What stdout can show: how wide it is, whether in colour, and what "now" is beside a time."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

_WITHOUT_END = 10_000
"""Columns of what is no terminal: nothing is folded."""


@dataclass(frozen=True, slots=True)
class Terminal:
    """``now`` None: times stand as they are, for nobody reads them today."""

    width: int
    color: bool
    now: datetime | None
    is_unicode: bool = True

    @property
    def rule(self) -> str:
        """What the line below a heading is made of."""
        return "─" if self.is_unicode else "-"

    @property
    def between(self) -> str:
        """What separates two values on one line."""
        return " · " if self.is_unicode else " | "


def stdout_terminal(wants_color: bool, now: Callable[[], datetime] | None) -> Terminal:
    """What stands at stdout; ``COLUMNS`` tells its width before the terminal does."""
    is_seen = sys.stdout.isatty()
    return Terminal(
        shutil.get_terminal_size().columns if is_seen else _WITHOUT_END,
        colored(wants_color, is_seen),
        now() if is_seen and now is not None else None,
        _is_unicode(),
    )


def wants_color(no_color: bool) -> bool:
    """Neither ``--no-color`` nor ``NO_COLOR`` is against it."""
    return not no_color and not os.environ.get("NO_COLOR")


def colored(wanted: bool, is_terminal: bool) -> bool:
    """A terminal, or whatever it is with ``FORCE_COLOR``; Rich leaves a dumb one alone."""
    is_forced = os.environ.get("FORCE_COLOR", "0") not in ("", "0")
    return wanted and (is_forced or is_terminal)


def is_dumb() -> bool:
    """Whether the terminal can neither colour nor move its cursor."""
    return os.environ.get("TERM", "") in ("dumb", "unknown")


def _is_unicode() -> bool:
    try:
        "─·█".encode(sys.stdout.encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
