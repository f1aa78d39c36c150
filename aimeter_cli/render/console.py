"""The one class that speaks on stderr: notices, warnings, errors. Data never goes here."""

from __future__ import annotations

import contextlib
import sys

from aimeter_cli.render.safe import harmless_lines, shortened
from aimeter_cli.render.terminal import is_dumb, wants_color


class Console:
    """``quiet`` silences everything but errors; ``verbose`` adds details."""

    def __init__(
        self, *, quiet: bool = False, verbose: bool = False, no_color: bool = False
    ) -> None:
        self.quiet = quiet
        self.verbose = verbose
        self.color = wants_color(no_color)

    @property
    def shows_progress(self) -> bool:
        return sys.stderr.isatty() and not is_dumb() and not self.quiet

    def notice(self, text: str) -> None:
        """What was done, or what to do next."""
        if not self.quiet:
            _say(text)

    def warn(self, text: str) -> None:
        if not self.quiet:
            _say(f"warning: {text}")

    def detail(self, text: str) -> None:
        if self.verbose and not self.quiet:
            _say(text)

    def error(self, text: str, hint: str | None = None) -> None:
        """Never silent: ``error: …`` and, on a line of its own, ``hint: …``."""
        _say(f"error: {text}")
        if hint:
            _say(f"hint: {hint}")


def _say(text: str) -> None:
    with contextlib.suppress(BrokenPipeError):  # nobody listens any more: nothing to add
        print(harmless_lines(shortened(text)), file=sys.stderr, flush=True)
