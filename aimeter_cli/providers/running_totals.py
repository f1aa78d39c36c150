"""Streams whose chunks tell running totals, on some chunks or only on the last."""

from __future__ import annotations

from collections.abc import Callable

from aimeter_cli.providers.base import Metered


class RunningTotals:
    """Keeps the last document with a usage; totals are never added up.

    ``find``: the document of a chunk that tells a usage, or None. ``read``: reads its usage.
    """

    def __init__(
        self, find: Callable[[object], object], read: Callable[[object], Metered | None]
    ) -> None:
        self._find = find
        self._read = read
        self._last: object = None

    def see(self, chunk: object) -> None:
        found = self._find(chunk)
        if found is not None:
            self._last = found

    def usage(self) -> Metered | None:
        return None if self._last is None else self._read(self._last)
