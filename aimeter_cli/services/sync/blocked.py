"""Why some overages cannot be sent, in groups that an operator can act on."""

from __future__ import annotations

from sqlmodel import Session

from aimeter_cli.repositories.sendable import blocked_rows
from aimeter_cli.services.sync.report import HINTS, Blocked

_SHOWN = 5


def blocked(session: Session, billable_id: int | None = None) -> list[Blocked]:
    """Each reason with its count, its first billables and what to type."""
    groups: dict[tuple[str, str | None], list[str]] = {}
    for row in blocked_rows(session, billable_id):
        ref = f"{row.billable_type}:{row.billable_external_id}"
        groups.setdefault((row.kind, row.detail), []).append(ref)
    found: list[Blocked] = []
    for (kind, detail), refs in groups.items():
        first = tuple(dict.fromkeys(refs))[:_SHOWN]
        found.append(Blocked(kind, len(refs), first, HINTS[kind], detail))
    return found
