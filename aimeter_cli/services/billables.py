"""Billables: made on first use or by hand, with what Stripe and people call them."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TypedDict

from sqlmodel import Session

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.errors import Conflict, InvalidInput
from aimeter_cli.models.billables import Billable
from aimeter_cli.repositories import billables as repository
from aimeter_cli.repositories.pending import pending_items
from aimeter_cli.services.names import no_billable
from aimeter_cli.services.stripe_customers import set_customer

MOST_OF_A_NAME = 500
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


class BillableChanges(TypedDict, total=False):
    """Fields to set; those that are absent stay as they are."""

    email: str | None
    name: str | None
    currency: str | None
    stripe_customer_id: str


def create_billable(
    database: Database,
    ref: BillableRef,
    fields: BillableChanges,
    *,
    now: datetime,
    dry_run: bool = False,
) -> Billable:
    """Raises Conflict if it exists, or if the Stripe customer is another billable's."""
    with database.write(dry_run=dry_run) as session:
        if repository.find_billable(session, ref) is not None:
            raise Conflict(
                f"the billable {ref} exists already",
                hint=f"aimeter billables update {ref} …",
            )
        billable = repository.get_or_create_billable(session, ref, now)
        return _changed(session, billable, fields, force=False, now=now)


def list_billables(database: Database, limit: int | None = None) -> list[Billable]:
    with database.read() as session:
        return repository.list_billables(session, limit)


def show_billable(database: Database, ref: BillableRef) -> Billable:
    """Raises NotFound."""
    with database.read() as session:
        return billable_named(session, ref)


def update_billable(
    database: Database,
    ref: BillableRef,
    changes: BillableChanges,
    *,
    now: datetime,
    force: bool = False,
    dry_run: bool = False,
) -> Billable:
    """Raises NotFound, InvalidInput, or Conflict as ``set_customer`` does."""
    with database.write(dry_run=dry_run) as session:
        billable = billable_named(session, ref, lock=True)
        return _changed(session, billable, changes, force=force, now=now)


def billable_named(session: Session, ref: BillableRef, *, lock: bool = False) -> Billable:
    """Raises NotFound."""
    billable = repository.find_billable(session, ref, lock=lock)
    if billable is None:
        raise no_billable(session, ref)
    return billable


def _changed(
    session: Session, billable: Billable, changes: BillableChanges, *, force: bool, now: datetime
) -> Billable:
    if changes.get("email") and not _EMAIL.fullmatch(changes["email"] or ""):
        raise InvalidInput(f"--email: {changes['email']!r} is not an e-mail address")
    if len(changes.get("name") or "") > MOST_OF_A_NAME:
        raise InvalidInput(f"--name: longer than {MOST_OF_A_NAME} characters")
    if "email" in changes:
        billable.email = changes["email"] or None
    if "name" in changes:
        billable.name = changes["name"] or None
    if "currency" in changes and changes["currency"] != billable.currency:
        _check_currency(session, billable, changes["currency"])
        billable.currency = changes["currency"]
    session.add(billable)
    if "stripe_customer_id" in changes:
        customer = changes["stripe_customer_id"]
        option = "--stripe-customer"
        set_customer(session, billable, customer, option=option, force=force, now=now)
    session.flush()
    return billable


def _check_currency(session: Session, billable: Billable, currency: str | None) -> None:
    """Stripe takes one currency per customer, as long as something is pending."""
    other = [
        item
        for item in pending_items(session, billable.id)
        if item.stripe_item_id is not None and item.currency != currency
    ]
    if other:
        raise Conflict(
            f"the currency of {billable.ref} cannot change while an invoice item in "
            f"{other[0].currency} is pending at Stripe ({other[0].stripe_item_id})",
            hint="Wait for its invoice.",
        )
