"""(a) and (b): what a command costs before it does anything."""

from __future__ import annotations

from pathlib import Path

from tests.bench.figures import Figure, alternate, paired
from tests.bench.fixtures import Template, add_overages
from tests.bench.programs import AIMETER, bare, seconds


def help_text(folder: Path) -> Figure:
    """``aimeter --help`` to a Typer and Rich program with one command."""
    ours, other = alternate(
        lambda: seconds([AIMETER, "--help"], folder),
        lambda: seconds([*bare("help"), "--help"], folder),
        pairs=31,
    )
    return paired(
        "aimeter --help : bare Typer+Rich", ours, other, unit="s", goal=1.3, better="less"
    )


def list_one(folder: Path) -> Figure:
    """``aimeter overages list`` of one overage to a SQLModel program that prints one row."""
    file = Template(folder / "list.db", subscribers=1, token_limit=1000).file
    add_overages(file, subscribers=1, each=1)
    env = {"AI_METERING_DATABASE_URL": f"sqlite:///{file}"}
    ours, other = alternate(
        lambda: seconds([AIMETER, "overages", "list"], folder, env),
        lambda: seconds([*bare("list"), str(file)], folder),
        pairs=25,
    )
    return paired(
        "overages list : bare SQLModel", ours, other, unit="s", goal=1.3, better="less"
    )  # fmt: skip
