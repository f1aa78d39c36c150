"""What became of an event: the fields of ``webhooks replay`` (DESIGN.md, "The command line")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from aimeter_cli.domain.periods import iso

ResultStatus = Literal["processed", "duplicate", "ignored", "stale", "failed", "quarantined"]
OutcomeStatus = Literal["processed", "ignored", "stale", "failed", "quarantined"]
BAD: tuple[ResultStatus, ...] = ("failed", "quarantined")

_BOOKKEEPING = ("updated_at", "stripe_updated_at", "recovered_at")


@dataclass(frozen=True, slots=True)
class Change:
    """One field of one row. Values are ready for JSON: times are ISO 8601 texts."""

    table: str
    id: int
    field: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a handler says: ``error`` is why nothing was done, or what else is to be told.

    ``follow_up``: as in :class:`EventResult`. ``waits_for``: the Stripe subscription or
    customer that must be known here before the event can be handled.
    """

    status: OutcomeStatus
    error: str | None = None
    follow_up: str | None = None
    waits_for: str | None = None


@dataclass(frozen=True, slots=True)
class EventResult:
    """One event of one source. ``error`` never holds any of the payload.

    ``follow_up``: the billable whose sync must follow the commit (:mod:`.follow_up`).
    ``is_known``: it came before, and nothing has become of it now that had not then.
    """

    file: str
    event_id: str
    type: str
    status: ResultStatus
    changes: tuple[Change, ...] = ()
    error: str | None = None
    follow_up: str | None = None
    is_known: bool = False

    @property
    def is_bad(self) -> bool:
        """Whether it makes ``webhooks replay`` exit with 3."""
        return self.status in BAD


def differences(
    table: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> tuple[Change, ...]:
    """Field by field what differs between two states of a row, but for our bookkeeping."""
    return tuple(
        Change(table, before["id"], field, _plain(before[field]), _plain(after[field]))
        for field in before
        if field not in _BOOKKEEPING and before[field] != after[field]
    )


def _plain(value: Any) -> Any:
    return iso(value) if isinstance(value, datetime) else value
