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
from aimeter_cli.repositories.prices import PriceKey
from aimeter_cli.services.recording.batch import Batch
from aimeter_cli.services.recording.entries import Recorded
from aimeter_cli.settings.table import Settings

_RACES = 5
"""How often a batch is begun anew because another writer used one of its keys first."""


class Recorder:
    """Records batches. Keep one while importing: it remembers the ids of prices."""

    def __init__(self, database: Database, settings: Settings, prices: PriceBook) -> None:
        self._database = database
        self._settings = settings
        self._prices = prices
        self._price_ids: dict[PriceKey, int] = {}

    def record(
        self,
        lines: Sequence[UsageLine],
        *,
        now: datetime,
        dry_run: bool = False,
        release: str | None = None,
        all_or_nothing: bool = False,
    ) -> list[Recorded]:
        """Record the lines in one transaction. Every line must have a key.

        ``release``: the hold on a wallet that the lines' one call had. ``all_or_nothing``: raises
        what the first line that cannot be recorded raises, and records none.

        The result is in the order of the lines. Raises nothing for a repeated key: see
        :class:`Recorded`.
        """
        for last in (*[False] * (_RACES - 1), True):
            try:
                with self._database.write(dry_run=dry_run) as session:
                    batch = Batch(
                        session, self._settings, self._prices, now, release, self._price_ids
                    )
                    result = batch.record(lines)
                    if all_or_nothing:
                        for each in result:
                            each.raise_if_refused()
            except (IntegrityError, OperationalError) as error:
                if last or not _is_race(error):
                    raise
                continue
            if not dry_run:
                self._price_ids |= batch.kept_prices
            return result
        raise AssertionError("unreachable: the last try returns or raises")

    def record_one(
        self,
        line: UsageLine,
        *,
        now: datetime,
        dry_run: bool = False,
        release: str | None = None,
    ) -> Recorded:
        """Record one usage. Raises Conflict if its key was used for another usage."""
        recorded = self.record([line], now=now, dry_run=dry_run, release=release)[0]
        recorded.raise_if_refused()
        return recorded


def _is_race(error: IntegrityError | OperationalError) -> bool:
    told = str(error.orig)
    return "idempotency_key" in told or "deadlock detected" in told
