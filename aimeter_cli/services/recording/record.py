"""Record usages: a transaction per batch, begun anew where another writer was quicker.

Keys that are there already change nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.exc import IntegrityError, OperationalError

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.pricing import PriceBook
from aimeter_cli.domain.usage import UsageLine
from aimeter_cli.errors import Conflict, InvalidInput
from aimeter_cli.services.recording.batch import Batch, Recorded
from aimeter_cli.settings.table import Settings

_RACES = 5
"""How often a batch is begun anew because another writer used one of its keys first."""


class Recorder:
    """Records batches. Keep one while importing: it remembers the ids of billables."""

    def __init__(self, database: Database, settings: Settings, prices: PriceBook) -> None:
        self._database = database
        self._settings = settings
        self._prices = prices
        self._billables: dict[str, int] = {}

    def record(
        self, lines: Sequence[UsageLine], *, now: datetime, dry_run: bool = False
    ) -> list[Recorded]:
        """Record the lines in one transaction. Every line must have a key.

        The result is in the order of the lines. Raises nothing for a repeated key: see
        :class:`Recorded`.
        """
        for last in (*[False] * (_RACES - 1), True):
            known = dict(self._billables)
            try:
                with self._database.write(dry_run=dry_run) as session:
                    batch = Batch(session, self._settings, self._prices, known, now)
                    result = batch.record(lines)
            except (IntegrityError, OperationalError) as error:
                if last or not _is_race(error):
                    raise
                continue
            if not dry_run:
                self._billables = known
            return result
        raise AssertionError("unreachable: the last try returns or raises")

    def record_one(self, line: UsageLine, *, now: datetime, dry_run: bool = False) -> Recorded:
        """Record one usage. Raises Conflict if its key was used for another usage."""
        recorded = self.record([line], now=now, dry_run=dry_run)[0]
        if recorded.refusal is not None:
            raise InvalidInput(recorded.refusal)
        if recorded.conflict:
            raise Conflict(
                f"idempotency key {recorded.key!r} was used for another usage",
                hint="Send the same usage again unchanged, or choose a new key.",
            )
        return recorded


def _is_race(error: IntegrityError | OperationalError) -> bool:
    told = str(error.orig)
    return "idempotency_key" in told or "deadlock detected" in told
