"""CSV and TSV: a header of field names, then one line a row, whatever the cells hold."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

from aimeter_cli.render.cells import separated
from aimeter_cli.render.noun import Column

_DELIMITERS = {"csv": ",", "tsv": "\t"}


def sheet(columns: tuple[Column, ...], rows: Iterable[Any], kind: str) -> Iterator[str]:
    """The header and every row, one line at a time."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=_DELIMITERS[kind], lineterminator="\n")
    yield _line(writer, buffer, [column.name for column in columns])
    for row in rows:
        yield _line(writer, buffer, [separated(column, row) for column in columns])


def _line(writer: Any, buffer: io.StringIO, cells: list[str]) -> str:
    writer.writerow(cells)
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text
