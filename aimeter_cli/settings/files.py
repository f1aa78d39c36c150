"""Files that are read or written by name: regular ones, seen as such after they are opened."""

from __future__ import annotations

import os
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO

from aimeter_cli.errors import InvalidInput

_AT_ONCE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_CLOEXEC", 0)
"""A pipe without its other end is not waited for, and a terminal is not taken over."""


def open_regular(path: str | Path, *, hint: str | None = None) -> BinaryIO:
    """``path`` for reading; links are followed, and what they lead to counts.

    Raises InvalidInput for folders, devices, pipes and sockets, OSError for what cannot be opened.
    """
    return os.fdopen(_opened(path, os.O_RDONLY, hint), "rb")


def append_regular(path: str | Path) -> int:
    """A descriptor that appends to ``path``; a new file has mode 0600. Raises as above."""
    return _opened(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, None)


def _opened(path: str | Path, flags: int, hint: str | None) -> int:
    refusal = InvalidInput(f"{path} is not a regular file", hint=hint)
    if os.path.exists(path) and not S_ISREG(os.stat(path).st_mode):
        raise refusal  # a device is not even opened
    descriptor = os.open(path, flags | _AT_ONCE, 0o600)
    if not S_ISREG(os.fstat(descriptor).st_mode):  # somebody has put another thing there
        os.close(descriptor)
        raise refusal
    return descriptor
