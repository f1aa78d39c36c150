"""The writer to stdout: one method for rows, one for a single object, in any format."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any, Literal, get_args

from aimeter_cli.errors import AimeterError
from aimeter_cli.render.cells import nested
from aimeter_cli.render.console import Console
from aimeter_cli.render.noun import ROWS, Noun

Format = Literal["table", "plain", "markdown", "csv", "tsv", "json", "jsonl"]
FORMATS: tuple[Format, ...] = get_args(Format)


class Output:
    """Writes data, and data only.

    Without a ``format``: a Rich table on a terminal, plain text elsewhere. A reader that goes away
    (``| head -1``) ends the writing quietly; the command keeps its own exit code.
    """

    def __init__(self, console: Console, format: Format | None = None) -> None:  # noqa: A002
        if sys.stdout is None:  # the caller has closed it
            raise AimeterError("standard output is closed: there is nowhere to print to")
        self._console = console
        self.format: Format = format or ("table" if sys.stdout.isatty() else "plain")

    @property
    def is_for_people(self) -> bool:
        return self.format in ("table", "plain", "markdown")

    def rows(self, noun: Noun, rows: Iterable[Any], *, empty: str = "") -> None:
        """A list. ``empty`` is said on stderr, in the formats for people, when there is none."""
        if self.format == "jsonl":
            from aimeter_cli.render.documents import line

            for row in rows:
                self._write(line(noun, row))
        elif self.format in ("csv", "tsv"):
            from aimeter_cli.render.sheets import sheet

            for text in sheet(noun.separated, rows, self.format):
                self._write(text)
        elif self.format == "json":
            from aimeter_cli.render.documents import array

            self._write(array(noun, rows))
        else:
            listed = list(rows)
            if listed:
                self._table(noun, listed)
            elif empty:
                self._console.notice(empty)

    def one(self, noun: Noun, row: Any) -> None:
        """A single object: lines of field and value for people, every field of it elsewhere."""
        if self.format in ("json", "jsonl"):
            from aimeter_cli.render import documents

            document = documents.indented if self.format == "json" else documents.line
            self._write(document(noun, row))
        elif self.format in ("csv", "tsv"):
            from aimeter_cli.render.sheets import sheet

            columns = tuple(column for column in noun.columns if column.kind != ROWS)
            for text in sheet(columns, [row], self.format):
                self._write(text)
        else:
            self._pairs(noun, row)

    def text(self, text: str) -> None:
        """Lines of our own, such as a file that a command prints."""
        from aimeter_cli.render.safe import harmless_lines

        self._write(harmless_lines(text).rstrip("\n") + "\n")

    def _table(self, noun: Noun, rows: list[Any]) -> None:
        if self.format == "table":
            from aimeter_cli.render.tables import rich_table

            self._write(rich_table(noun, rows, color=self._color))
        else:
            from aimeter_cli.render.plain import plain_table

            self._write(plain_table(noun, rows, markdown=self.format == "markdown"))

    def _pairs(self, noun: Noun, row: Any) -> None:
        if self.format == "table":
            from aimeter_cli.render.tables import rich_pairs

            self._write(rich_pairs(noun, row, color=self._color))
        else:
            from aimeter_cli.render.plain import plain_pairs

            self._write(plain_pairs(noun, row, markdown=self.format == "markdown"))
        for column in noun.columns:
            if column.kind == ROWS:
                inner, rows = nested(column, row)
                if rows:
                    self._write("\n")
                    self._table(inner, rows)

    @property
    def _color(self) -> bool:
        return self._console.color and sys.stdout.isatty()

    def _write(self, text: str) -> None:
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except BrokenPipeError:
            discard_stdout()
        except OSError as error:
            discard_stdout()
            raise AimeterError(f"cannot write the output: {error.strerror}") from None


def discard_stdout() -> None:
    """Whoever read has seen enough: what is still buffered goes nowhere, in silence."""
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):  # not a real file, as in tests
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
