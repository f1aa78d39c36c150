"""After a backup took the database's place: nothing is sent that Stripe may have got since."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select, update

from aimeter_cli.db.clock import database_now
from aimeter_cli.db.engine import Database
from aimeter_cli.domain.sync import Step
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.final_invoices import FinalInvoice
from aimeter_cli.models.items import InvoiceItem
from aimeter_cli.models.overages import UNSYNCED, Overage
from aimeter_cli.repositories.installation import installation

_items = table_of(InvoiceItem)
_overages = table_of(Overage)
_invoices = table_of(FinalInvoice)
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_LOOK_UP = {"step": Step.LOOK_UP.value, "lease_token": None, "lease_expires_at": None}


@dataclass(frozen=True, slots=True)
class Restored:
    """``items`` are looked up before they are sent, and so is every one that the ``overages``, not
    on an invoice yet, make anew for a period that had begun."""

    restored_at: datetime
    items: int
    overages: int


def mark_restored(database: Database, *, now: datetime, dry_run: bool = False) -> Restored:
    """Say that this database is a restored backup; harmless if it is not.

    Every item that is not closed may have a later version at Stripe, and keys may have been used
    that this database has never seen.
    """
    with database.write(dry_run=dry_run) as session:
        connection = session.connection()
        clock = database_now(session)
        is_open = _items.c.status != "closed"
        in_flight = _items.c.status.in_(("sending", "unknown"))
        pending = (_items.c.status == "idle") & _items.c.stripe_item_id.is_not(None)
        connection.execute(update(_items).where(is_open).values(is_stale=True))
        connection.execute(update(_items).where(pending).values(is_dirty=True))
        for table, which in ((_items, in_flight), (_invoices, _invoices.c.status == "sending")):
            connection.execute(
                update(table).where(which).values(
                    status="unknown", unanswered_at=clock, not_before=clock, updated_at=clock,
                    **_LOOK_UP,
                )
            )  # fmt: skip
        here = installation(session)
        here.restored_at = now
        # The same backup may be restored again, and knows nothing of the first time: a clock does.
        seconds = int((clock - _EPOCH).total_seconds())
        here.first_generation = max(here.first_generation + 1, seconds)
        session.add(here)
        items = connection.execute(select(func.count()).where(is_open)).scalar_one()
        waiting = _overages.c.status.in_(UNSYNCED)
        overages = connection.execute(select(func.count()).where(waiting)).scalar_one()
        return Restored(now, items, overages)
