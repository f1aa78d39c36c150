"""Tables for terminals: what does not fit the line stands below it, whole."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from aimeter_cli.render.ages import age, date
from aimeter_cli.render.cells import for_people
from aimeter_cli.render.layout import GAP, Layout, Need, arranged
from aimeter_cli.render.noun import ROWS, TIME, Column, Noun
from aimeter_cli.render.styles import QUIET, style_of
from aimeter_cli.render.terminal import Terminal

_PROSE = 40
"""Cells below which prose is not squeezed."""
_INDENT = 4
_MOST = 1000
"""Characters of prose that a list shows; a single object is shown whole."""


def rich_table(noun: Noun, rows: list[Any], terminal: Terminal) -> str:
    """A heading and a line for each row, as wide as the content, or as the terminal.

    Columns for which there is no room follow below the row, each with its name.
    """
    columns = noun.listed
    cells = [[_listed(noun, column, row, terminal) for column in columns] for row in rows]
    layout = arranged(
        [_need(column, [row[n] for row in cells]) for n, column in enumerate(columns)],
        terminal.width,
    )
    console = _console(terminal)
    lines = list(_heading(columns, layout, console))
    lines.append(Text(terminal.rule * min(layout.width, terminal.width)))
    for row in cells:
        lines += _line([columns[n] for n in layout.widths], [row[n] for n in layout.widths],
                       list(layout.widths.values()), console)  # fmt: skip
        lines += _below([(columns[n], row[n]) for n in layout.below], terminal, console)
    return _printed(lines, console)


def rich_pairs(noun: Noun, row: Any, terminal: Terminal) -> str:
    """Fields and values in two columns."""
    columns = [column for column in noun.columns if column.kind != ROWS]
    name_width = max(cell_len(column.title) for column in columns)
    width = max(1, terminal.width - name_width - GAP)
    console = _console(terminal)
    lines: list[Text] = []
    for column in columns:
        value = _folded(_shown(noun, column, row, terminal), width, console)
        for number, part in enumerate(value or [Text()]):
            name = Text(column.title if number == 0 else "", style="bold")
            lines.append(_padded(name, name_width).append(" " * GAP).append_text(part))
    return _printed(lines, console)


def _listed(noun: Noun, column: Column, row: Any, terminal: Terminal) -> Text:
    """A cell of a list: times as ages, or as dates; very long prose is cut, and says so."""
    text = for_people(noun, column, row)
    if column.is_foldable and len(text) > _MOST:
        text = f"{text[:_MOST]} (cut; {len(text):,} characters)"
    if column.kind == TIME and terminal.now is not None:
        moment = column.value(row)
        if moment is not None:
            text = date(moment) if column.is_dated else age(moment, terminal.now)
    return Text(text, style=style_of(column, text))


def _shown(noun: Noun, column: Column, row: Any, terminal: Terminal) -> Text:
    """A value of a single object: times whole, with their age."""
    text = for_people(noun, column, row)
    shown = Text(text, style=style_of(column, text))
    if column.kind == TIME and terminal.now is not None and not column.is_dated:
        moment = column.value(row)
        if moment is not None:
            told = age(moment, terminal.now)
            shown.append("" if text.startswith(told[:10]) else f" ({told})", style=QUIET)
    return shown


def _need(column: Column, cells: list[Text]) -> Need:
    """A heading may be broken between words, and so may prose."""
    longest = max(cell.cell_len for cell in cells)
    natural = max(longest, cell_len(column.title))
    least = max(longest, _longest_word(column.title))
    if column.is_foldable:
        word = max(_longest_word(cell.plain) for cell in (*cells, Text(column.title)))
        least = max(word, min(natural, _PROSE))
    return Need(natural, least, column.rank, all(map(_is_blank, cells)))


def _is_blank(cell: Text) -> bool:
    return cell.plain in ("", "-")


def _longest_word(text: str) -> int:
    return max((cell_len(word) for word in text.split()), default=0)


def _heading(columns: tuple[Column, ...], layout: Layout, console: Console) -> Iterator[Text]:
    """One line, or more where a column is narrower than its name; the names stand at the foot."""
    shown = [columns[n] for n in layout.widths]
    widths = list(layout.widths.values())
    parts = [
        list(Text(column.title).wrap(console, width))
        for column, width in zip(shown, widths, strict=True)
    ]
    height = max(map(len, parts))
    parts = [[Text()] * (height - len(part)) + part for part in parts]
    for line in zip(*parts, strict=True):
        for text in _line(shown, list(line), widths, console):
            text.stylize("bold")
            yield text


def _line(
    columns: list[Column], cells: list[Text], widths: list[int], console: Console
) -> Iterator[Text]:
    """A row: one line, or more where prose is folded."""
    parts = [
        [cell] if cell.cell_len <= width else _folded(cell, width, console)
        for cell, width in zip(cells, widths, strict=True)
    ]
    for number in range(max(map(len, parts))):
        line = Text()
        for column, part, width in zip(columns, parts, widths, strict=True):
            cell = part[number] if number < len(part) else Text()
            line.append_text(_padded(cell, width, right=column.is_right)).append(" " * GAP)
        yield line


def _below(
    values: list[tuple[Column, Text]], terminal: Terminal, console: Console
) -> Iterator[Text]:
    """The values that are there, with their names, as many on a line as it holds."""
    width = max(1, terminal.width - _INDENT)
    line = Text()
    for column, value in values:
        if _is_blank(value) or not column.title.strip():
            continue
        named = Text().append(f"{column.title}: ", style=QUIET).append_text(value)
        if line and line.cell_len + len(terminal.between) + named.cell_len > width:
            yield _indented(line, width)
            line = Text()
        if line:
            line.append(terminal.between, style=QUIET)
        line.append_text(named)
        if named.cell_len > width:  # alone on it
            name = [Text(f"{column.title}:", style=QUIET)]
            parts = _folded(named, width, console) if column.is_foldable else [*name, value]
            yield from (_indented(part, width) for part in parts)
            line = Text()
    if line:
        yield _indented(line, width)


def _indented(line: Text, width: int) -> Text:
    """What is longer than the line begins at its very left."""
    return line if line.cell_len > width else Text(" " * _INDENT).append_text(line)


def _folded(text: Text, width: int, console: Console) -> list[Text]:
    """Broken between words only: a longer one is left to the terminal, so that it stays whole."""
    return list(text.wrap(console, max(width, _longest_word(text.plain)), overflow="fold"))


def _padded(text: Text, width: int, *, right: bool = False) -> Text:
    padding = " " * (width - text.cell_len)
    return Text(padding).append_text(text) if right else Text().append_text(text).append(padding)


def _console(terminal: Terminal) -> Console:
    return Console(
        file=io.StringIO(), width=terminal.width, force_terminal=terminal.color,
        no_color=not terminal.color, highlight=False, emoji=False, markup=False,
        legacy_windows=False,
    )  # fmt: skip


def _printed(lines: list[Text], console: Console) -> str:
    for line in lines:
        line.rstrip()
    console.print(Text("\n").join(lines), soft_wrap=True)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text
