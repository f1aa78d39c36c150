"""Undoing a run: waive or release all the overages that it dealt with, as far as they can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from aimeter_cli.db.engine import Database
from aimeter_cli.errors import Conflict
from aimeter_cli.repositories import overages as repo
from aimeter_cli.repositories.overages import OverageView
from aimeter_cli.services.jobs import find_run
from aimeter_cli.services.overages.by_hand import (
    check_reason,
    check_waivable,
    give_up,
    lock,
    release_one,
)
from aimeter_cli.services.overages.listing import found


@dataclass(frozen=True, slots=True)
class Undone:
    """``changed`` as they are now; ``refused``: why the others could not be, with what to do."""

    changed: list[OverageView]
    refused: Sequence[Conflict] = ()


def waive_run(
    database: Database, run: str, *, reason: str, now: datetime, dry_run: bool = False
) -> Undone:
    """Give up every overage that a run dealt with last. Those on a pending item lower it.

    ``run``: its id, or how it begins. Raises NotFound.
    """
    check_reason(reason)
    free: list[OverageView] = []
    refused: list[Conflict] = []
    with database.write(dry_run=dry_run) as session:
        for view in _of_run(session, run):
            try:
                check_waivable(session, view)
            except Conflict as error:
                refused.append(error)
            else:
                free.append(view)
        give_up(session, free, reason, now)
        return Undone(repo.overage_views(session, [view.id for view in free]), refused)


def release_run(
    database: Database, run: str, *, now: datetime, dry_run: bool = False
) -> list[OverageView]:
    """Let every overage that a run held be charged after all. Raises NotFound."""
    with database.write(dry_run=dry_run) as session:
        held = [view.id for view in _of_run(session, run) if _is_held(view)]
        for overage_id in held:
            [view] = found(session, [overage_id])
            if _is_held(view):  # else it was released with another one of its item
                release_one(session, view, now)
        return repo.overage_views(session, held)


def _of_run(session: Session, run: str) -> list[OverageView]:
    """Locked, but for waived ones; what another run has taken meanwhile is not among them."""
    run_id = find_run(session, run)
    ids = repo.ids_of_run(session, run_id)
    lock(session, ids)
    return [view for view in repo.overage_views(session, ids) if view.run_id == run_id]


def _is_held(view: OverageView) -> bool:
    return "held" in (view.status, view.item_status)
