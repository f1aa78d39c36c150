"""A progress bar on stderr, where somebody sits and watches; elsewhere nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from aimeter_cli.render.console import Console


class Advance(Protocol):
    """``advance(n)``: so many more are done; ``total``: how many there are, once it is known."""

    def __call__(self, n: int = 1, total: int | None = None) -> None: ...


def _nothing(n: int = 1, total: int | None = None) -> None:
    """Nobody watches."""


@contextmanager
def progress(console: Console, title: str, total: int | None = None) -> Iterator[Advance]:
    """A bar while the block runs, with rate and time left. Threads may call ``advance``."""
    if not console.shows_progress:
        yield _nothing
        return
    from rich.console import Console as RichConsole
    from rich.progress import BarColumn, Progress, TextColumn

    from aimeter_cli.render.progress_columns import Done, Left, Rate

    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        Done(),
        Rate(),
        Left(),
        console=RichConsole(file=sys.stderr, no_color=not console.color),
        transient=True,
    )
    task = bar.add_task(title, total=total)

    def advance(n: int = 1, total: int | None = None) -> None:
        bar.update(task, advance=n, total=total)

    with bar:
        yield advance
