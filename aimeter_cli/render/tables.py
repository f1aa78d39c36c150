"""Rich tables, for terminals."""

from __future__ import annotations

import io
import shutil
import sys
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from aimeter_cli.render.cells import for_people
from aimeter_cli.render.noun import ROWS, STATUS, Column, Noun

_STYLES = {
    "active": "green", "synced": "green", "processed": "green", "ok": "green",
    "trialing": "cyan", "scheduled": "cyan", "open": "cyan", "frozen": "cyan",
    "grace": "yellow", "unknown": "yellow", "held": "yellow", "needs_rate": "yellow",
    "incomplete": "yellow", "paused": "yellow", "blocked": "yellow", "warning": "yellow",
    "failed": "red", "quarantined": "red", "error": "red",
    "canceled": "dim", "expired": "dim", "waived": "dim", "carried": "dim", "archived": "dim",
}  # fmt: skip


def rich_table(noun: Noun, rows: list[Any], *, color: bool) -> str:
    """A table as wide as its content, folded only where the terminal is narrower."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column in noun.listed:
        justify = "right" if column.is_right else "left"
        table.add_column(column.title, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for row in rows:
        table.add_row(*(_cell(noun, column, row, short=True) for column in noun.listed))
    return _rendered(table, color)


def rich_pairs(noun: Noun, row: Any, *, color: bool) -> str:
    """Fields and values in two columns."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for column in noun.columns:
        if column.kind != ROWS:
            table.add_row(Text(column.title), _cell(noun, column, row))
    return _rendered(table, color)


def _cell(noun: Noun, column: Column, row: Any, *, short: bool = False) -> Text:
    text = for_people(noun, column, row, short=short)
    return Text(text, style=_STYLES.get(text, "") if column.kind == STATUS else "")


def _rendered(table: Table, color: bool) -> str:
    buffer = io.StringIO()
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000
    console = Console(
        file=buffer,
        width=width,
        force_terminal=color,
        no_color=not color,
        highlight=False,
        emoji=False,
        legacy_windows=False,
    )
    console.print(table)
    lines = [line.rstrip() for line in buffer.getvalue().splitlines()]
    return "\n".join(lines).strip("\n") + "\n"
