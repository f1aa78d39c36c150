"""Who is billed: found by reference or by Stripe customer, made on first use."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlmodel import Session, col, func, select

from aimeter_cli.db.upsert import insert_into
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.columns import table_of

_CHUNK = 500


def find_billable(session: Session, ref: BillableRef, *, lock: bool = False) -> Billable | None:
    """The billable of that reference. ``lock`` holds its row until the transaction ends."""
    statement = select(Billable).where(Billable.type == ref.type, Billable.external_id == ref.id)
    return session.exec(statement.with_for_update(key_share=True) if lock else statement).first()


def find_by_customer(session: Session, stripe_customer_id: str) -> Billable | None:
    """The billable that this Stripe customer stands for."""
    statement = select(Billable).where(Billable.stripe_customer_id == stripe_customer_id)
    return session.exec(statement).first()


def shared_emails(session: Session, emails: Collection[str]) -> set[str]:
    """Those, in lower case, that several billables have, in whatever case."""
    lower = func.lower(col(Billable.email))
    statement = select(lower).group_by(lower).having(func.count() > 1)
    wanted = sorted({email.lower() for email in emails})
    chunks = [wanted[at : at + _CHUNK] for at in range(0, len(wanted), _CHUNK)]
    return {e for chunk in chunks for e in session.exec(statement.where(lower.in_(chunk)))}


def get_or_create_billable(session: Session, ref: BillableRef, now: datetime) -> Billable:
    """The billable of that reference, made if there is none; safe with any number of writers."""
    found = find_billable(session, ref)
    if found is not None:
        return found
    connection = session.connection()
    values = {"type": ref.type, "external_id": ref.id, "created_at": now}
    adding = insert_into(connection.dialect.name, table_of(Billable)).values(values)
    connection.execute(adding.on_conflict_do_nothing())  # the loser of a race waits, then finds it
    made = find_billable(session, ref)
    if made is None:  # pragma: no cover  # the row was just inserted, or was there
        raise LookupError(f"billable {ref} was inserted and is not there")
    return made


def list_billables(session: Session, limit: int | None = None) -> list[Billable]:
    """Billables in the order in which they came."""
    statement = select(Billable).order_by(col(Billable.id))
    return list(session.exec(statement.limit(limit) if limit is not None else statement))
