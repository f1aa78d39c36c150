"""The writer to stdout: one method for rows, one for a single object, in any format."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

from aimeter_cli.errors import AimeterError
from aimeter_cli.render.cells import nested
from aimeter_cli.render.console import Console
from aimeter_cli.render.noun import ROWS, Noun

if TYPE_CHECKING:
    from aimeter_cli.render.terminal import Terminal

Format = Literal["table", "plain", "markdown", "csv", "tsv", "json", "jsonl"]
FORMATS: tuple[Format, ...] = get_args(Format)


class Output:
    """Writes data, and data only.

    Without a ``format``: a table on a terminal, plain text elsewhere. A reader that goes away
    (``| head -1``) ends the writing quietly; the command keeps its own exit code. ``now``: beside
    which a terminal's times are told as ages.
    """

    def __init__(
        self,
        console: Console,
        format: Format | None = None,  # noqa: A002
        *,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        if sys.stdout is None:  # the caller has closed it
            raise AimeterError("standard output is closed: there is nowhere to print to")
        self._console = console
        self._now = now
        self._ends_with_table = False
        self.format: Format = format or ("table" if sys.stdout.isatty() else "plain")

    @property
    def is_for_people(self) -> bool:
        return self.format in ("table", "plain", "markdown")

    @property
    def is_on_terminal(self) -> bool:
        """Whether somebody sees a table as it is printed."""
        return self.format == "table" and sys.stdout.isatty()

    @property
    def terminal(self) -> Terminal | None:
        """What somebody sees it on, for what is shown nowhere else; None off a terminal."""
        return self._terminal if self.is_on_terminal else None

    def rows(
        self,
        noun: Noun,
        rows: Iterable[Any],
        *,
        empty: str = "",
        summary: Sequence[str] = (),
        footer: bool = True,
    ) -> None:
        """A list. ``empty`` is said on stderr, in the formats for people, when there is none.

        ``summary``: lines for stderr, whatever the format. With ``footer`` a terminal is told what
        the list comes to, unless they tell it, and the command to go on with.
        """
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
            if listed and footer and noun.next and self.is_on_terminal:
                from aimeter_cli.render.footers import footer_of

                summary = footer_of(noun, listed, summary)
        for text in summary:
            self._console.notice(text)

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
        """Lines of our own, such as a file that a command prints; a terminal's break at words."""
        from aimeter_cli.render.safe import harmless_lines

        shown = harmless_lines(text).rstrip("\n")
        if self.is_on_terminal:
            shown = "\n".join(_broken(line, self._terminal.width) for line in shown.split("\n"))
        self._write(shown + "\n")

    def document(self, document: str) -> None:
        """A file of ours, to the byte; what it holds from outside is harmless already."""
        self._write(document)

    def _table(self, noun: Noun, rows: list[Any]) -> None:
        """A line apart from a table before it."""
        if self._ends_with_table:
            self._write("\n")
        if self.format == "table":
            from aimeter_cli.render.tables import rich_table

            self._write(rich_table(noun, rows, self._terminal))
        else:
            from aimeter_cli.render.plain import plain_table

            self._write(plain_table(noun, rows, markdown=self.format == "markdown"))
        self._ends_with_table = True

    def _pairs(self, noun: Noun, row: Any) -> None:
        if self.format == "table":
            from aimeter_cli.render.tables import rich_pairs

            self._write(rich_pairs(noun, row, self._terminal))
        else:
            from aimeter_cli.render.plain import plain_pairs

            self._write(plain_pairs(noun, row, markdown=self.format == "markdown"))
        for column in noun.columns:
            if column.kind == ROWS:
                inner, rows = nested(column, row)
                if rows:
                    self.text(f"\n{column.title}" if self.format == "table" else "")
                    self._table(inner, rows)

    @cached_property
    def _terminal(self) -> Terminal:
        from aimeter_cli.render.terminal import stdout_terminal

        return stdout_terminal(self._console.color, self._now)

    def _write(self, text: str) -> None:
        self._ends_with_table = False
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except BrokenPipeError:
            discard_stdout()
        except OSError as error:
            discard_stdout()
            raise AimeterError(f"cannot write the output: {error.strerror}") from None


def _broken(line: str, width: int) -> str:
    """Broken between words, where it is longer than the terminal is wide."""
    from textwrap import wrap

    broken = wrap(line, width, break_long_words=False, break_on_hyphens=False)
    return "\n".join(broken) if len(line) > width else line


def discard_stdout() -> None:
    """Whoever read has seen enough: what is still buffered goes nowhere, in silence."""
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):  # not a real file, as in tests
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
