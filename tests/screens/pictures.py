"""Screens as pictures for the README: SVG of what a terminal of 112 columns gets, in colour."""

from __future__ import annotations

import io
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from tests.screens.screens import SCREENS, Gallery

PICTURES = ("overages-list", "sync-run", "status", "usage-report")
_COLUMNS = 112
_FORMAT = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
"""Rich's own, without the fonts that it fetches from elsewhere."""
_TEXT = (230, 237, 243)
_THEME = TerminalTheme((13, 17, 23), _TEXT, [_TEXT] * 8)
"""Dark. Of the sixteen colours that a terminal may choose itself, none is used."""


def pictures() -> Iterator[tuple[str, str]]:
    """The name of each file, and the same text every time."""
    with tempfile.TemporaryDirectory() as folder:
        gallery = Gallery(Path(folder), copies=Path(folder))
        gallery.make()
        for name in PICTURES:
            yield f"{name}.svg", picture(gallery, name)


def picture(gallery: Gallery, name: str) -> str:
    """The screen of that name as SVG."""
    screen = next(screen for screen in SCREENS if screen.name == name)
    parts = gallery.show(screen, _COLUMNS, color=True).parts
    return _svg(name, f"$ aimeter {screen.text}\n" + "".join(text for _, text in parts))


def _svg(name: str, shown: str) -> str:
    console = Console(
        record=True, file=io.StringIO(), width=_COLUMNS, force_terminal=True,
        color_system="256", legacy_windows=False, highlight=False,
    )  # fmt: skip
    console.print(Text.from_ansi(shown), soft_wrap=False)
    return console.export_svg(
        title="aimeter", code_format=_FORMAT, unique_id=f"aimeter-{name}", theme=_THEME
    )
