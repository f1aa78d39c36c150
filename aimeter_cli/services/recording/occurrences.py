"""Equal lines of a file, told apart by how often each was there before, in bounded memory."""

from __future__ import annotations

import sqlite3
from collections import Counter
from types import TracebackType
from typing import Self

IN_MEMORY = 200_000
"""Fingerprints; more go to a temporary file, so that memory does not grow with the source."""

_ADD = """\
INSERT INTO seen VALUES (?, ?)
ON CONFLICT (fingerprint) DO UPDATE SET times = times + excluded.times"""


class Occurrences:
    """Counts fingerprints: 32 hexadecimal digits each."""

    def __init__(self, in_memory: int = IN_MEMORY) -> None:
        self._in_memory = in_memory
        self._latest: Counter[str] = Counter()
        self._earlier: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        if self._earlier is not None:
            self._earlier.close()

    def count(self, fingerprint: str) -> int:
        """One more; returns which one it is, from 1."""
        self._latest[fingerprint] += 1
        times = self._latest[fingerprint] + self._before(fingerprint)
        if len(self._latest) >= self._in_memory:
            self._store()
        return times

    def _before(self, fingerprint: str) -> int:
        if self._earlier is None:
            return 0
        query = "SELECT times FROM seen WHERE fingerprint = ?"
        found = self._earlier.execute(query, (bytes.fromhex(fingerprint),)).fetchone()
        return int(found[0]) if found else 0

    def _store(self) -> None:
        if self._earlier is None:
            self._earlier = sqlite3.connect("", isolation_level=None)  # deleted when it is closed
            self._earlier.execute(
                "CREATE TABLE seen (fingerprint BLOB PRIMARY KEY, times INTEGER) WITHOUT ROWID"
            )
        rows = ((bytes.fromhex(name), times) for name, times in sorted(self._latest.items()))
        self._earlier.execute("BEGIN")
        self._earlier.executemany(_ADD, rows)
        self._earlier.execute("COMMIT")
        self._latest.clear()
