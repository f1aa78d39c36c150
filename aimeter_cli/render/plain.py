"""Plain text and Markdown, by tabulate."""

from __future__ import annotations

from typing import Any

from aimeter_cli.render.cells import for_people
from aimeter_cli.render.noun import ROWS, Noun

_MARKDOWN_ESCAPES = str.maketrans({"|": "\\|", "<": "&lt;", "`": "\\`"})


def plain_table(noun: Noun, rows: list[Any], *, markdown: bool = False) -> str:
    """A heading and a line for each row."""
    columns = noun.listed
    return _tabulate(
        [[for_people(noun, column, row) for column in columns] for row in rows],
        [column.title for column in columns],
        ["right" if column.is_right else "left" for column in columns],
        markdown=markdown,
    )


def plain_pairs(noun: Noun, row: Any, *, markdown: bool = False) -> str:
    """A line for each field; Markdown wants a heading."""
    pairs = [
        [column.title, for_people(noun, column, row)]
        for column in noun.columns
        if column.kind != ROWS
    ]
    headers = ["Field", "Value"] if markdown else []
    return _tabulate(pairs, headers, ["left", "left"], markdown=markdown)


def _tabulate(
    cells: list[list[str]], headers: list[str], align: list[str], *, markdown: bool
) -> str:
    from tabulate import tabulate

    if markdown:
        cells = [[cell.translate(_MARKDOWN_ESCAPES) for cell in row] for row in cells]
    text = tabulate(
        cells,
        headers=headers,
        tablefmt="pipe" if markdown else "plain",
        disable_numparse=True,
        colalign=align,
    )
    return "".join(line.rstrip() + "\n" for line in text.splitlines())
