"""Texts in the order of their times, however many: memory holds three numbers of each."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from tempfile import SpooledTemporaryFile
from types import TracebackType

_IN_MEMORY = 8 * 1024 * 1024


class Spool:
    """Put texts in, then read them, the oldest first; those of one time in the order they came.

    What is more than some megabytes lies in a temporary file that only this process can read.
    """

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115  # closed with the spool
        self._times = array("q")
        self._ends = array("q")

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._times)

    def add(self, text: str, time: int) -> None:
        """``time`` in Unix seconds; 0 where there is none: it comes first."""
        self._file.write(text.encode("utf-8", "surrogatepass"))
        self._times.append(time)
        self._ends.append(self._file.tell())

    def in_order(self, *, last_come_first: bool = False) -> Iterator[str]:
        """``last_come_first``: of one time the last one added, for lists of the newest first."""
        places = range(len(self._times))
        order = sorted(places[::-1] if last_come_first else places, key=self._times.__getitem__)
        for place in order:
            begin = self._ends[place - 1] if place else 0
            self._file.seek(begin)
            content = self._file.read(self._ends[place] - begin)
            yield content.decode("utf-8", "surrogatepass")
