"""A copy of a database, for staging: another installation, which knows nobody at Stripe."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import RowMapping, delete, func, select, update
from sqlmodel import Session

from aimeter_cli.db.clock import database_now
from aimeter_cli.db.engine import Database
from aimeter_cli.domain.money import from_nanos, minor_to_nanos
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.final_invoices import FinalInvoice
from aimeter_cli.models.plans import PlanPrice
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.repositories import items as repo
from aimeter_cli.repositories.deliveries import forget_undelivered
from aimeter_cli.repositories.installation import installation
from aimeter_cli.services.subscriptions.stripe_ids import NOTHING_KNOWN
from aimeter_cli.services.sync.settle import DELETED, UNPAID

COPIED = "copied"
REASON = "this is a copy: set the Stripe ids of a test account, then resume"


@dataclass(frozen=True, slots=True)
class Copied:
    """The new ``install_id``, and how many Stripe ids of each kind were forgotten."""

    install_id: str
    customers: int
    subscriptions: int
    prices: int
    items: int


def mark_copy(database: Database, *, now: datetime, dry_run: bool = False) -> Copied:
    """Make this database an installation of its own: new id, Stripe's ids forgotten, sync paused.

    What was charged stays charged in the books: pending items are closed at what Stripe is known
    to have, and what had not arrived there waits to be sent from here. Events that were not
    delivered are not from here.
    """
    with database.write(dry_run=dry_run) as session:
        here = installation(session)
        here.install_id = uuid.uuid4().hex
        here.stripe_account = here.stripe_key_hash = None
        here.stripe_livemode = here.restored_at = here.events_pulled_until = None
        here.first_generation = 0
        here.paused_at, here.paused_reason = now, REASON
        session.add(here)
        session.flush()
        items = _close_items(session)
        forget_undelivered(session)
        at_stripe = table_of(Subscription).c.stripe_subscription_id.is_not(None)
        known = update(table_of(Subscription)).values(**NOTHING_KNOWN)
        session.connection().execute(known.where(at_stripe))
        return Copied(
            here.install_id,
            _forget(session, Billable, "stripe_customer_id"),
            _forget(session, Subscription, "stripe_subscription_id"),
            session.connection().execute(delete(table_of(PlanPrice))).rowcount,
            items,
        )


def _close_items(session: Session) -> int:
    """Every open item, closed at what Stripe has; then none has an id at Stripe. Their count."""
    connection = session.connection()
    items = repo.items
    pending = select(items).where(items.c.status != "closed").order_by(items.c.id)
    for item in connection.execute(pending).mappings().all():
        _close(session, item)
    known = select(func.count()).where(items.c.stripe_item_id.is_not(None))
    count = int(connection.execute(known).scalar_one())
    connection.execute(
        update(items).values(stripe_item_id=None, stripe_invoice_id=None, stripe_customer_id=None)
    )
    connection.execute(
        update(table_of(FinalInvoice)).values(
            status="done", lease_token=None, lease_expires_at=None, stripe_invoice_id=None,
            stripe_customer_id="", reason=COPIED,
        )
    )  # fmt: skip
    return count


def _close(session: Session, item: RowMapping) -> None:
    """One item; the overages that it does not have at Stripe are freed."""
    now, overages = database_now(session), repo.overages
    nothing_there = item["is_leaving"] or item["reason"] == DELETED
    confirmed = -1 if nothing_there else item["confirmed_version"]
    free = update(overages).where(
        overages.c.item_id == item["id"],
        overages.c.in_version > confirmed,
        overages.c.status.not_in(("waived", "carried")),
    )
    session.connection().execute(
        free.values(
            status="frozen", item_id=None, in_version=None, synced_at=None, reason=None,
            last_error=None, updated_at=now,
        )
    )  # fmt: skip
    charged = update(overages).where(
        overages.c.item_id == item["id"], overages.c.status == "held", overages.c.reason == UNPAID
    )
    session.connection().execute(
        charged.values(status="synced", synced_at=now, last_error=None, updated_at=now)
    )
    if nothing_there:
        repo.return_carry(session, item["id"])
    elif item["version"] > confirmed:
        repo.return_carry(session, item["id"], item["version"])
    final = 0 if nothing_there else item["confirmed_minor"]
    rest = repo.item_total(session, item["id"]) - minor_to_nanos(final, item["currency"])
    repo.set_item(
        session, item["id"], status="closed", final_minor=final, carry_out=from_nanos(rest),
        lease_token=None, lease_expires_at=None, is_dirty=False, reason=COPIED, updated_at=now,
    )  # fmt: skip


def _forget(session: Session, model: type[Billable | Subscription], name: str) -> int:
    column = table_of(model).c[name]
    statement = update(table_of(model)).where(column.is_not(None)).values({name: None})
    return int(session.connection().execute(statement).rowcount)
