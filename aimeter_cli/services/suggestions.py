"""What somebody may have meant who named something that does not exist."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(name: str, known: Iterable[str], otherwise: str) -> str:
    """A hint with the closest known name, or ``otherwise``."""
    close = get_close_matches(name, list(known), 1)
    return f"Did you mean {close[0]}?" if close else otherwise
