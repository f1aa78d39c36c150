"""Where a page is written to: whole or not at all, and over nothing but an older page."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from aimeter_cli.errors import AimeterError, InvalidInput
from aimeter_cli.render.html.page import GENERATOR

_LOOKED_AT = 1024
"""Bytes within which a page says what made it."""


def checked(path: str) -> Path:
    """The file that ``path`` leads to, links followed. Raises InvalidInput where none can be."""
    try:
        given = Path(path)
        file = given.resolve()
        if given.exists() and not given.is_file():
            raise InvalidInput(
                f"--html: {path} is no file that can be written; - is standard output"
            )
        if not file.parent.is_dir():
            raise InvalidInput(f"--html: there is no folder {file.parent}")
    except (OSError, RuntimeError, ValueError) as error:  # too long, links in a circle, a NUL
        raise InvalidInput(f"--html: {path} cannot be the name of a file: {error}") from None
    return file


def is_page(file: Path) -> bool:
    """Whether an earlier report stands there, which a later one may replace.

    What cannot be read is none.
    """
    try:
        with file.open("rb") as opened:
            return f'content="{GENERATOR}"'.encode() in opened.read(_LOOKED_AT)
    except OSError:
        return False


def write(file: Path, page: str) -> None:
    """A new file has the mode that the umask gives, one that is replaced keeps its own.

    Raises AimeterError; then the old file is as it was.
    """
    partial = file.with_name(f".{uuid4().hex}.partial")
    try:
        descriptor = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            if file.exists():
                os.fchmod(descriptor, file.stat().st_mode & 0o777)
            opened.write(page)
            opened.flush()
            os.fsync(descriptor)
        partial.replace(file)
    except OSError as error:
        raise AimeterError(f"--html: cannot write {file}: {error.strerror}") from None
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
