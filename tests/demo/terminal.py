"""What the demo shows: each command as it is typed, then what it really prints."""

from __future__ import annotations

import io
import json
import os
import shlex
import subprocess
import sys
import time
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

from aimeter_cli.cli.main import main

_OURS = ("AI_METERING_", "AIMETER_", "STRIPE_")
_TIMEOUT_SECONDS = 120


class Failed(Exception):
    """A step of the demo did not do what it should."""


class Terminal:
    """Runs ``aimeter`` in a folder. On a terminal the commands see that it is one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._styled = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        self._env = kept | {"PYTHONUNBUFFERED": "1"}

    def title(self, text: str) -> None:
        """A heading of the story."""
        line = f"── {text} {'─' * max(3, 76 - len(text))}"
        print(f"\n\033[1;36m{line}\033[0m" if self._styled else f"\n{line}", flush=True)

    def say(self, text: str) -> None:
        """A remark of the story."""
        print(f"\033[2m{text}\033[0m" if self._styled else text, flush=True)

    def show(self, typed: str, output: str) -> None:
        """Something that is not ``aimeter``: what was typed, and what came of it."""
        self._prompt(typed)
        print(output.rstrip("\n"), flush=True)

    def run(self, *words: str, expect: int = 0) -> float:
        """Run ``aimeter WORDS`` for everybody to see; returns its seconds.

        Raises Failed unless it exits with ``expect``.
        """
        self._prompt(shlex.join(["aimeter", *words]))
        merged = None if sys.stderr.isatty() else subprocess.STDOUT
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "aimeter_cli", *words], cwd=self.folder, env=self._env,
            stdin=subprocess.DEVNULL, stderr=merged, check=False, timeout=_TIMEOUT_SECONDS,
        )  # fmt: skip
        if done.returncode != expect:
            raise Failed(f"it exited with {done.returncode}, not with {expect}")
        return time.perf_counter() - started

    def read(self, *words: str) -> Any:
        """What ``aimeter WORDS --format json`` prints, for checks; nothing is shown.

        It runs in this process: to start one for each takes longer than all that they do.
        """
        out, err = io.StringIO(), io.StringIO()
        try:
            with (
                patch.dict(os.environ, self._env, clear=True), chdir(self.folder),
                redirect_stdout(out), redirect_stderr(err),
            ):  # fmt: skip
                main([*words, "--format", "json"])
        except SystemExit as ended:
            if ended.code:
                raise Failed(f"aimeter {shlex.join(words)}: {err.getvalue().strip()}") from None
        return json.loads(out.getvalue())

    def _prompt(self, typed: str) -> None:
        line = f"$ {typed}"
        print(f"\n\033[1m{line}\033[0m" if self._styled else f"\n{line}", flush=True)
