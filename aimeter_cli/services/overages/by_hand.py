"""What an operator does with overages by hand: mark as synced, waive, retry. All or nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlmodel import Session

from aimeter_cli.db.clock import database_now
from aimeter_cli.db.engine import Database
from aimeter_cli.domain.references import stripe_id
from aimeter_cli.domain.sync import Step
from aimeter_cli.errors import Conflict, InvalidInput
from aimeter_cli.repositories import items as item_repo
from aimeter_cli.repositories import overages as repo
from aimeter_cli.repositories.final_invoices import is_being_finalised
from aimeter_cli.repositories.overages import OverageView
from aimeter_cli.services.overages.final_invoice import reopen_invoice
from aimeter_cli.services.overages.held import end_deleted, release_item
from aimeter_cli.services.overages.listing import found

overages = repo.overages
_IN_HAND = ("sending", "unknown")
_REASON_LIMIT = 500


def waive(
    database: Database, ids: Sequence[int], *, reason: str, now: datetime, dry_run: bool = False
) -> list[OverageView]:
    """Give overages up. One on a pending item lowers it at the next sync.

    All or nothing. Raises Conflict for one that is being sent or on a finalised invoice.
    """
    check_reason(reason)
    with database.write(dry_run=dry_run) as session:
        lock(session, ids)
        views = found(session, ids)
        for view in views:
            check_waivable(session, view)
        give_up(session, views, reason, now)
        return repo.overage_views(session, ids)


def check_reason(reason: str) -> None:
    """Raises InvalidInput."""
    if not reason.strip() or len(reason) > _REASON_LIMIT:
        raise InvalidInput(f"--reason: expected 1 to {_REASON_LIMIT} characters")


def check_waivable(session: Session, view: OverageView) -> None:
    """Raises Conflict."""
    if view.status == "waived":
        raise Conflict(f"overage {view.id} is waived already")
    if view.is_external:
        raise Conflict(
            f"overage {view.id} was charged by hand ({view.stripe_invoice_item_id})",
            hint="Delete that item at Stripe, or issue a credit note there.",
        )
    _check_free(view, "waived")
    if view.item_id is not None and is_being_finalised(session, view.item_id):
        raise Conflict(
            f"overage {view.id} is on a final invoice that is being finalised",
            hint="Run aimeter sync-stripe-overages; if it is charged, issue a credit note.",
        )


def give_up(session: Session, views: Sequence[OverageView], reason: str, now: datetime) -> None:
    """Waive overages that can be; each of their items is made right by the next sync."""
    ids = [view.id for view in views]
    session.connection().execute(
        update(overages)
        .where(repo.among(overages.c.id, ids))
        .values(status="waived", reason=reason, synced_at=None, updated_at=now)
    )
    for item_id in sorted({view.item_id for view in views if view.item_id is not None}):
        if not end_deleted(session, item_id, now):
            _reopen(session, item_id, dirty=True)


def mark_synced(
    database: Database,
    overage_id: int,
    stripe_item: str,
    *,
    now: datetime,
    dry_run: bool = False,
) -> OverageView:
    """Record that a person charged it by another invoice item: nothing will be sent for it.

    Raises Conflict if the overage is being sent or charged already, or if the item is one of ours.
    """
    external = stripe_id(stripe_item, "ii", "STRIPE_ITEM")

    def change(session: Session, view: OverageView) -> None:
        if view.status in ("synced", "waived"):
            raise Conflict(f"overage {view.id} is {view.status} already")
        _check_free(view, "marked as synced")
        ours = select(repo.items.c.id).where(repo.items.c.stripe_item_id == external)
        named = external in (view.last_error or "")  # in a look-up that is not adopted yet
        if named or session.connection().execute(ours).first() is not None:
            raise Conflict(
                f"{external} is an invoice item that aimeter made and keeps up to date itself",
                hint="Name the item that was made by hand.",
            )
        _set(
            session, view.id, now, status="synced", external_item_id=external, synced_at=now,
            item_id=None, in_version=None, reason="external", last_error=None,
        )  # fmt: skip
        if view.item_id is not None:
            _reopen(session, view.item_id, dirty=True)

    return _each(database, [overage_id], change, dry_run=dry_run)[0]


def retry(
    database: Database,
    ids: Sequence[int] | None,
    *,
    now: datetime,
    dry_run: bool = False,
) -> list[OverageView]:
    """Let failed (and waiting unknown) overages be tried by the next sync; None: all failed ones.

    Any overage of a failed item will do. The next sync looks up first what became of the old
    request. Raises Conflict for others.
    """
    if ids is None:
        with database.read() as session:
            ids = repo.ids_on_failed_items(session)

    def change(session: Session, view: OverageView) -> None:
        reopened = reopen_invoice(session, view)
        failed = repo.stopped_item_of(session, view.id, "failed")
        if failed is not None:
            _reopen(session, failed, dirty=False)
            version = _version(session, failed)
            item_repo.set_in_flight(session, failed, version, status="frozen")
        elif view.item_id is not None and view.status == "unknown":
            item_repo.set_item(session, view.item_id, not_before=database_now(session))
        elif view.status != "frozen" and not reopened:  # frozen: with another one, just now
            raise Conflict(
                f"overage {view.id} is {view.status}: only failed and unknown ones are retried",
                hint=f"aimeter overages show {view.id}",
            )
        _set(session, view.id, now)

    return _each(database, ids, change, dry_run=dry_run)


def release(
    database: Database, ids: Sequence[int], *, now: datetime, dry_run: bool = False
) -> list[OverageView]:
    """Let held overages be charged after all, by the next sync.

    An item that a person deleted gets a successor; one whose amount a person changed gets ours
    again; any overage of the item, or behind it, will do. Raises Conflict for others.
    """

    def change(session: Session, view: OverageView) -> None:
        release_one(session, view, now)

    return _each(database, ids, change, dry_run=dry_run)


def release_one(session: Session, view: OverageView, now: datetime) -> None:
    """Raises Conflict."""
    reopened = view.status != "held" and reopen_invoice(session, view)
    behind = repo.stopped_item_of(session, view.id, "held")
    if behind is not None:
        release_item(session, behind, now)
    elif view.status == "held":
        at_stripe = view.item_id is not None  # held there because its subscription ended unpaid
        _set(
            session, view.id, now, status="synced" if at_stripe else "frozen",
            synced_at=now if at_stripe else None, reason=None, last_error=None, released_at=now,
        )  # fmt: skip
    elif view.status != "frozen" and not reopened:  # frozen: with another one, just now
        raise Conflict(f"overage {view.id} is {view.status}: only held ones are released")


def _each(
    database: Database,
    ids: Sequence[int],
    change: Callable[[Session, OverageView], None],
    *,
    dry_run: bool,
) -> list[OverageView]:
    """Change every one in one transaction; returns them as they are then."""
    with database.write(dry_run=dry_run) as session:
        lock(session, ids)
        found(session, ids)
        for overage_id in dict.fromkeys(ids):  # one change may settle another
            [view] = found(session, [overage_id])
            change(session, view)
        return repo.overage_views(session, ids)


def lock(session: Session, ids: Sequence[int]) -> None:
    """Nobody claims these overages, or settles their items, until we are done.

    Items before overages, as everywhere, so that nobody waits for each other. Raises Conflict
    where an overage was moved to another item in between.
    """
    connection = session.connection()
    mine = repo.among(overages.c.id, ids)
    query = select(overages.c.item_id).where(mine).order_by(overages.c.id)
    named = {row[0] for row in connection.execute(query)} - {None}
    items = sorted(named | {item_id for item_id, _ in repo.stopped_items(session, ids)})
    theirs = repo.among(repo.items.c.id, items)
    wanted = select(repo.items.c.id).where(theirs).order_by(repo.items.c.id)
    connection.execute(wanted.with_for_update(key_share=True, of=repo.items))
    locked = {row[0] for row in connection.execute(query.with_for_update(key_share=True))} - {None}
    if not locked <= set(items):
        raise Conflict("an overage is being claimed just now", hint="Try again in a moment.")


def _check_free(view: OverageView, done: str) -> None:
    if view.item_status in _IN_HAND:
        raise Conflict(
            f"overage {view.id} is being sent, so that it cannot be {done}",
            hint="Wait for it: aimeter sync-stripe-overages --retry-now settles it, at the latest "
            "when the lease of a killed run is over.",
        )
    if view.item_status == "held" and view.status != "held":
        raise Conflict(
            f"overage {view.id} is on an item that a person changed at Stripe, so that it cannot "
            f"be {done}",
            hint="aimeter overages release puts our amount there again; then it can be.",
        )
    if view.item_status == "closed":
        raise Conflict(
            f"overage {view.id} is on a finalised invoice ({view.stripe_invoice_item_id}), so that "
            f"it cannot be {done}",
            hint="Issue a credit note at Stripe.",
        )


def _reopen(session: Session, item_id: int, *, dirty: bool) -> None:
    """Let the next sync go on with an item: an idle one is set anew, a failed one looked up."""
    item = item_repo.item_by_id(session, item_id)
    if item["status"] not in ("idle", "failed"):
        return
    changes: dict[str, Any] = {"is_dirty": dirty or item["is_dirty"]}
    if item["status"] == "failed":
        changes |= {
            "status": "unknown",
            "step": Step.LOOK_UP.value,
            "attempts": 0,
            "not_before": database_now(session),
        }
    item_repo.set_item(session, item_id, **changes)


def _version(session: Session, item_id: int) -> int:
    return int(item_repo.item_by_id(session, item_id)["version"])


def _set(session: Session, overage_id: int, now: datetime, **values: Any) -> None:
    session.connection().execute(
        update(overages).where(overages.c.id == overage_id).values(**values, updated_at=now)
    )
