"""One command as it is shown: on a terminal of so many columns, or in a pipe."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass

import pytest

ERR = "2> "
"""Before each line of a screen that stands on stderr."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a command wrote, stdout and stderr in their order, and its exit code."""

    parts: tuple[tuple[bool, str], ...]
    code: int

    @property
    def out(self) -> str:
        return "".join(text for is_err, text in self.parts if not is_err)

    @property
    def text(self) -> str:
        """As a golden file has it."""
        lines: list[str] = []
        for is_err, text in self.parts:
            mark = ERR if is_err else ""
            lines += [(mark + line).rstrip() for line in text.splitlines()]
        if self.code:
            lines.append(f"exit {self.code}")
        return "".join(f"{line}\n" for line in lines)


class _Stream(io.StringIO):
    """Writes into what both streams share."""

    def __init__(self, parts: list[tuple[bool, str]], *, is_err: bool, is_terminal: bool) -> None:
        super().__init__()
        self._parts, self._is_err, self._is_terminal = parts, is_err, is_terminal

    def isatty(self) -> bool:
        return self._is_terminal

    def write(self, text: str) -> int:
        if self._parts and self._parts[-1][0] is self._is_err:
            text_before = self._parts.pop()[1]
        else:
            text_before = ""
        self._parts.append((self._is_err, text_before + text))
        return len(text)


def shown(*args: str, width: int | None, color: bool = False, is_watched: bool = False) -> Shown:
    """Run ``aimeter ARGS`` in this process; ``width`` None: in a pipe.

    ``is_watched``: stderr is a terminal, too, where progress bars come and go.
    """
    from aimeter_cli.cli.main import main

    parts: list[tuple[bool, str]] = []
    is_terminal = width is not None
    code: object = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(width or 80))
        patch.setenv("TERM", "xterm-256color")
        patch.setenv("NO_COLOR", "" if color else "1")
        patch.setattr(sys, "stdin", io.StringIO())
        for name in ("stdout", "stderr"):
            is_err = name == "stderr"
            seen = is_watched if is_err else is_terminal
            stream = _Stream(parts, is_err=is_err, is_terminal=seen)
            patch.setattr(sys, name, stream)
        try:
            main(args)
        except SystemExit as stop:
            code = stop.code
    assert code is None or isinstance(code, int)
    return Shown(tuple(parts), code or 0)
