"""A process on a real terminal prints what the golden files show."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

from tests.screens.capture import ERR
from tests.screens.frozen import NOW, Clock
from tests.screens.screens import SCREENS, Gallery, golden_file
from tests.screens.story import world

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def _run(args: tuple[str, ...], *, columns: int) -> str:
    """What a terminal of so many columns gets; its size is known by its device alone."""
    master, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    env = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    line = [sys.executable, "-m", "aimeter_cli", *args, "--as-of", NOW.isoformat()]
    with subprocess.Popen(
        line, stdin=terminal, stdout=terminal, stderr=terminal,
        env=env | {"TERM": "xterm-256color", "PYTHONUTF8": "1"},
    ):  # fmt: skip
        os.close(terminal)
        parts: list[bytes] = []
        while part := _read(master):
            parts.append(part)
    os.close(master)
    return b"".join(parts).decode().replace("\r\n", "\n")


def _read(master: int) -> bytes:
    try:
        return os.read(master, 65_536)
    except OSError:  # the other side has been closed
        return b""


def test_a_terminal_gets_the_golden_screen_in_colour(gallery: Gallery) -> None:
    screen = next(screen for screen in SCREENS if screen.name == "overages-list")
    with world(gallery.folder(screen), Clock()):
        shown = _run(screen.args, columns=80)
    typed, _, expected = golden_file(screen, "80").read_text(encoding="utf-8").partition("\n")
    assert typed == "$ aimeter overages list"
    assert _COLOUR.sub("", shown) == re.sub(f"^{ERR}", "", expected, flags=re.MULTILINE)
    assert "\x1b[38;5;28msynced\x1b[0m" in shown
    assert _COLOUR.sub("", shown).count("\x1b") == 0
