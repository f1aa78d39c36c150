"""Releasing an item that a person deleted, or whose amount a person changed, at Stripe."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import select, update
from sqlmodel import Session

from aimeter_cli.domain.sync import Step
from aimeter_cli.repositories import items as repo
from aimeter_cli.services.sync.settle import DELETED, EXTERNAL


def end_deleted(session: Session, item_id: int, now: datetime) -> bool:
    """Close an item that a person deleted, once all that was on it is waived: nothing is left of it
    here or at Stripe. False: it is another one, or holds something yet."""
    item = repo.item_by_id(session, item_id)
    if item["status"] != "held" or item["reason"] != DELETED:
        return False
    left = select(repo.overages.c.id).where(
        repo.overages.c.item_id == item_id, repo.overages.c.status != "waived"
    )
    if session.connection().execute(left.limit(1)).first() is not None:
        return True  # what is left of it stays held
    repo.return_carry(session, item_id)
    repo.set_item(
        session, item_id, status="closed", final_minor=0, carry_out=Decimal(0), is_dirty=False,
        updated_at=now,
    )  # fmt: skip
    return True


def release_item(session: Session, item_id: int, now: datetime) -> None:
    """Give a locked, held item back to the sync, with all of its held overages.

    One that an operator took for made by hand is ours after all: the overages that were marked as
    charged by it are charged by it like the others.
    """
    item = repo.item_by_id(session, item_id)
    if item["reason"] == EXTERNAL:
        session.connection().execute(
            update(repo.overages)
            .where(repo.overages.c.external_item_id == item["stripe_item_id"])
            .values(
                status="frozen", external_item_id=None, synced_at=None, reason=None, updated_at=now
            )
        )
    held = update(repo.overages).where(
        repo.overages.c.item_id == item_id, repo.overages.c.status == "held"
    )
    if item["reason"] == DELETED:
        session.connection().execute(
            held.values(
                status="frozen", item_id=None, in_version=None, reason=None, last_error=None,
                synced_at=None, released_at=now, updated_at=now,
            )
        )  # fmt: skip
        repo.return_carry(session, item_id)
        repo.set_item(
            session, item_id, status="closed", final_minor=0, carry_out=Decimal(0),
            is_dirty=False, updated_at=now,
        )  # fmt: skip
        return
    session.connection().execute(
        held.values(status="frozen", reason=None, last_error=None, released_at=now, updated_at=now)
    )
    known = item["stripe_item_id"] is not None  # else it must be looked for first
    repo.set_item(
        session, item_id, status="idle" if known else "unknown", is_dirty=True,
        step=Step.SEND.value if known else Step.LOOK_UP.value, not_before=now,
        may_overwrite=True, reason=None, attempts=0, unanswered_at=None, updated_at=now,
    )  # fmt: skip
