"""JSON values in a text that may be far larger than memory, with or without other text around them.

Values in a row, one a line, in an array, behind a time stamp or another prefix: each is read by
itself. What cannot be read is passed on as it is; a line that a tool says about its own work is
left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, Protocol

from aimeter_cli.webhooks.reading import DECODER

LARGEST = 64 * 1024 * 1024
"""Characters of one value: a page of a hundred events is smaller by far."""
_PIECE = 1024 * 1024
_NEAR_END = 12
_MOST_TRIES = 8
_BETWEEN = re.compile(r"[\s,\[\]\ufeff]*")
_NEXT_VALUE = re.compile(r"^[{\[]", re.MULTILINE)
_CHATTER = re.compile(
    r"\W*("
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d|(setting up|running) fixture for|trigger succeeded|"
    r"getting ready|ready! you are using|a newer version of the stripe cli|checking for new"
    r")",
    re.IGNORECASE,
)
"""A log's line, or one of Stripe's CLI."""


class Reader(Protocol):
    """A text file; ``read`` gives at most so many characters, none at its end."""

    def read(self, size: int, /) -> str: ...


def values(source: Reader) -> Iterator[tuple[str, Any]]:
    """(text, parsed value) of each, in order; the value of what cannot be parsed is None."""
    scan = _Scan(source)
    while scan.skip_between():
        if scan.text[scan.at] == "{":
            yield scan.value() or scan.broken()
        else:
            found = scan.in_line()
            if found is not None:
                yield found


class _Scan:
    """A place in the text, of which a part is held; places stay until ``skip_between``."""

    def __init__(self, source: Reader) -> None:
        self._source = source
        self.text = ""
        self.at = 0

    def skip_between(self) -> bool:
        """Go to the next value or line; False at the end of the text."""
        if self.at > _PIECE:
            self.text, self.at = self.text[self.at :], 0
        while True:
            match = _BETWEEN.match(self.text, self.at)
            self.at = match.end() if match else self.at
            if self.at < len(self.text) or not self._more():
                return self.at < len(self.text)

    def value(self) -> tuple[str, Any] | None:
        """The value that begins here, however many lines it has; None if there is none."""
        while True:
            try:
                value, end = DECODER.raw_decode(self.text, self.at)
            except json.JSONDecodeError as error:
                if not (self._may_be_cut(error) and self._more()):
                    return None
            except (ValueError, RecursionError):
                return None
            else:
                piece, self.at = self.text[self.at : end], end
                return piece, value

    def broken(self) -> tuple[str, None]:
        """What stands here, up to the next line that begins a value."""
        following = None
        line = self._line_end()
        while line < len(self.text) and following is None:
            following = _NEXT_VALUE.search(self.text, line)
            if following is None:
                line = max(line, self.text.rfind("\n") + 1)
                if not self._more():
                    break
        end = following.start() if following else len(self.text)
        piece, self.at = self.text[self.at : end].rstrip(), end
        return piece, None

    def in_line(self) -> tuple[str, Any] | None:
        """The first value in this line, behind other text; the line itself if it holds none.

        None for a line that is nothing but what a tool says.
        """
        begin, end = self.at, self._line_end()
        line = self.text[begin:end].rstrip()
        for match in islice(re.finditer("{", line), _MOST_TRIES):
            self.at = begin + match.start()
            found = self.value()
            if found is not None:
                rest = self._line_end()
                if "{" not in self.text[self.at : rest]:
                    self.at = rest
                return found
        self.at = end
        return None if _CHATTER.match(line) and "evt_" not in line else (line, None)

    def _line_end(self) -> int:
        """The place behind the end of the line that stands here."""
        seen = self.at
        while (found := self.text.find("\n", seen)) < 0:
            seen = len(self.text)
            if not self._more():
                return len(self.text)
        return found + 1

    def _may_be_cut(self, error: json.JSONDecodeError) -> bool:
        """Whether the value may only be incomplete: what is held of the text ends within it."""
        at_end = error.pos >= len(self.text) - _NEAR_END
        return at_end or error.msg.startswith("Unterminated string")

    def _more(self) -> bool:
        """Hold more of the text; False at its end, and where one value is too large."""
        held = len(self.text) - self.at
        if held > LARGEST:
            return False
        piece = self._source.read(max(_PIECE, held))
        self.text += piece
        return bool(piece)
