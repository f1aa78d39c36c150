"""What became of events, in every format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from aimeter_cli.cli.invocation import Invocation
from aimeter_cli.errors import InvalidInput, RowsFailed
from aimeter_cli.render.nouns.webhooks import CHANGE_OF_EVENT, EVENT_RESULT

if TYPE_CHECKING:
    from aimeter_cli.render.progress import Advance
    from aimeter_cli.webhooks.intake import Taken
    from aimeter_cli.webhooks.results import EventResult

MOST_FOR_PEOPLE = 1000
"""Events that people are shown one by one; of the rest, those that failed."""


class Shown:
    """Prints results as they come, where the format allows it, else at the end; counts them.

    ``without_known``: people are not shown again what came before. ``empty``: what they are told
    where nothing came.
    """

    def __init__(
        self, run: Invocation, advance: Advance, *, without_known: bool = False,
        empty: str = "There is no event in it.",
    ) -> None:  # fmt: skip
        self._run, self._advance = run, advance
        self._is_brief, self._empty = without_known, empty
        self._counts: Counter[str] = Counter()
        self._notices: list[str] = []
        self._left_out = 0
        self._new = 0
        self.bad = 0

    def show(self, taken: Iterable[Taken]) -> None:
        out = self._run.out
        if out.is_for_people:
            self._for_people([each for each in self._each(taken) if self._is_shown(each)])
        else:
            out.rows(EVENT_RESULT, self._each(taken))
        for notice in self._notices:
            self._run.console.notice(notice)

    def raise_if_bad(self, *, dry_run: bool = False) -> None:
        """Raises RowsFailed (exit 3) if an event failed or was quarantined."""
        if self.bad:
            raise RowsFailed(
                f"{self.bad} of {self._counts.total()} events failed or were quarantined",
                hint=None if dry_run else self._hint(),
            )

    def _hint(self) -> str:
        if not self._counts["failed"]:
            return "aimeter webhooks list --status quarantined shows their reasons."
        return (
            "aimeter webhooks list shows their reasons; aimeter webhooks retry --all tries the "
            "failed ones again."
        )

    def _each(self, taken: Iterable[Taken]) -> Iterator[EventResult]:
        for some in taken:
            self._notices += some.notices
            for result in some.results:
                self._counts[result.status] += 1
                self._new += not result.is_known
                self.bad += result.is_bad
                self._advance(1)
                yield result

    @property
    def _is_any(self) -> bool:
        return bool(self._new if self._is_brief else self._counts)

    def _is_shown(self, result: EventResult) -> bool:
        is_shown = result.is_bad or (
            self._counts.total() <= MOST_FOR_PEOPLE and not (self._is_brief and result.is_known)
        )
        self._left_out += not is_shown
        return is_shown

    def _for_people(self, results: list[EventResult]) -> None:
        """Every event, then all changes in one table."""
        out, console = self._run.out, self._run.console
        out.rows(EVENT_RESULT, results, empty="" if self._is_any else self._empty)
        changes = [
            {"event_id": result.event_id, "table": change.table, "id": change.id,
             "field": change.field, "before": change.before, "after": change.after}
            for result in results for change in result.changes
        ]  # fmt: skip
        if changes:
            out.text("")
        out.rows(CHANGE_OF_EVENT, changes)
        if self._left_out and not self._is_brief:
            console.notice(f"{self._left_out:,} more are not shown; --format jsonl shows all.")
        if self._counts:
            counts = (f"{n:,} {status}" for status, n in self._counts.items())
            console.notice(", ".join(counts))


@dataclass(frozen=True, slots=True)
class Since:
    """What ``--since`` said: a time, or an age."""

    said: datetime | timedelta

    def moment(self, now: datetime) -> datetime:
        return now - self.said if isinstance(self.said, timedelta) else self.said


def parse_since(text: str) -> Since:
    """``7d`` or a time. Raises InvalidInput, naming the option."""
    from aimeter_cli.domain.periods import parse_time
    from aimeter_cli.settings.parse import duration

    for parse in (duration, parse_time):
        try:
            return Since(parse(str(text)))
        except InvalidInput:
            continue
    raise InvalidInput(
        f"--since: expected a time such as 2026-11-01T00:00:00Z, or an age such as 7d, got {text!r}"
    )
