"""Handlers of ``customer.updated`` and ``customer.deleted``: a billable follows its customer.

E-mail and name are those that Stripe told last; what Stripe does not tell stays. A currency is
taken over where none is set. Whoever has been anonymised here is not named again. Whose customer
one is, is never read off its metadata alone: a second one may bear the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, select, update

from aimeter_cli.domain.currency import MINOR_UNITS
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.domain.stripe_events import StripeEvent
from aimeter_cli.domain.stripe_ids import named_billable
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.columns import table_of
from aimeter_cli.repositories.items import set_item
from aimeter_cli.repositories.pending import IN_FLIGHT, pending_items
from aimeter_cli.webhooks.handling import Handling, Row, reread
from aimeter_cli.webhooks.results import Outcome, differences

_DELETED = "customer.deleted"
_FOLLOWED = ("email", "name")
_NOT_OURS = "the customer is none of ours"
_billables = table_of(Billable)
_BY_CUSTOMER = (
    select(_billables)
    .where(_billables.c.stripe_customer_id == bindparam("customer"))
    .with_for_update(key_share=True)
)
_BY_REF = (
    select(_billables)
    .where(_billables.c.type == bindparam("kind"), _billables.c.external_id == bindparam("ident"))
    .with_for_update(key_share=True)
)
_CHANGE = update(_billables).where(_billables.c.id == bindparam("row_id"))


def updated(handling: Handling) -> Outcome:
    """E-mail, name and currency follow; of whom else its metadata speaks is reported."""
    row = _of_customer(handling)
    named = _named(handling)
    later = _later(handling)  # under the lock: what is handled at the same time has ended
    if any(event is not None and event.type == _DELETED for event in later):
        return Outcome("stale", "the customer has been deleted")
    if row is None:
        return _waiting(handling, named)
    if named is not None and named["id"] != row["id"]:
        handling.notices.append(
            f"its metadata names {_ref(named)}, but it is the customer of {_ref(row)}: that is kept"
        )
    _follow(handling, row, later)
    if later and not handling.changes:
        return Outcome("stale", "a newer event has been applied")
    return Outcome("processed")


def deleted(handling: Handling) -> Outcome:
    """The id is no more good: that waits for an operator. What was pending for it is read.

    Overages that are not sent are reported as ``no_customer`` from now on. An item may be on an
    invoice already: the sync closes it then; else it is held as when a person deletes it.
    """
    row = _of_customer(handling)
    if row is None:
        return _waiting(handling, None)
    row = _follow(handling, row, _later(handling))
    pending = _read_soon(handling, row)
    _change(handling, row, {"stripe_customer_id": None})
    handling.notices.append(
        f"Stripe's customer of {_ref(row)} was deleted: aimeter subscriptions set-stripe-ids "
        f"{_ref(row)} --customer cus_…"
    )
    if "in_flight" in pending:
        handling.notices.append("a request for an invoice item is under way: the next sync settles")
    return Outcome("processed", follow_up=_ref(row) if "idle" in pending else None)


def _read_soon(handling: Handling, row: Row) -> set[str]:
    """Have the sync read what is pending at Stripe. Which of ``idle`` and ``in_flight`` there is:
    what is in flight finds out for itself."""
    found = set()
    for pending in pending_items(handling.session, row["id"]):
        if pending.stripe_customer_id not in (None, row["stripe_customer_id"]):
            continue
        if pending.status in IN_FLIGHT:
            found.add("in_flight")
        elif pending.status == "idle":
            set_item(handling.session, pending.id, check_after=None)
            found.add("idle")
    return found


def _follow(handling: Handling, row: Row, later: list[StripeEvent | None]) -> Row:
    """Take over what no later event tells."""
    if row["anonymized_at"] is not None:
        return row
    told = {
        name: value
        for name in _FOLLOWED
        if (value := _text(handling.event.object, name)) is not None
        and not any(event is None or _text(event.object, name) for event in later)
    }
    return _change(handling, row, told | _currency(handling, row))


def _currency(handling: Handling, row: Row) -> dict[str, str]:
    told = _text(handling.event.object, "currency")
    if told is None or told == row["currency"]:
        return {}
    if row["currency"] is not None:
        handling.notices.append(
            f"Stripe bills {_ref(row)} in {told}, not in {row['currency']}: "
            f"aimeter billables update {_ref(row)} --currency {told}"
        )
        return {}
    others = {item.currency for item in pending_items(handling.session, row["id"])} - {told}
    if others or told not in MINOR_UNITS:
        handling.notices.append(f"Stripe bills {_ref(row)} in {told}: not taken over")
        return {}
    return {"currency": told}


def _waiting(handling: Handling, named: Row | None) -> Outcome:
    """It is the customer of nobody here, yet. Whom its metadata names is for a look-up, which asks
    Stripe whether another customer bears the same."""
    waits_for = handling.event.object_id
    if named is None or named["anonymized_at"] is not None:
        return Outcome("ignored", _NOT_OURS, waits_for=waits_for)
    if named["stripe_customer_id"] is None:
        told = f"aimeter subscriptions sync-stripe-ids {_ref(named)}"
        handling.notices.append(f"its metadata names {_ref(named)}: {told} looks it up")
    else:
        handling.notices.append(
            f"its metadata names {_ref(named)}, whose customer is "
            f"{named['stripe_customer_id']}: that is kept"
        )
    return Outcome("ignored", waits_for=waits_for)


def _of_customer(handling: Handling) -> Row | None:
    customer = handling.event.object_id
    found = handling.session.connection().execute(_BY_CUSTOMER, {"customer": customer})
    row = found.mappings().first()
    if row is None or customer is None:
        return None
    handling.known.add(customer)
    return dict(row)


def _named(handling: Handling) -> Row | None:
    metadata = handling.event.object.get("metadata")
    name = named_billable(metadata)
    kind, _, ident = (name or "").partition(":")
    if not ident:
        return None
    found = handling.session.connection().execute(_BY_REF, {"kind": kind, "ident": ident})
    row = found.mappings().first()
    return dict(row) if row is not None else None


def _later(handling: Handling) -> list[StripeEvent | None]:
    """Handled events about the customer that came after; None: its content is not kept."""
    event = handling.event
    past = handling.history(event.object_id or "", since=event.created)
    return [
        reread(each)
        for each in past
        if (each.created, each.type == _DELETED, each.event_id)
        > (event.created, event.type == _DELETED, event.id)
    ]


def _change(handling: Handling, row: Row, columns: Mapping[str, Any]) -> Row:
    differing = {name: value for name, value in columns.items() if row[name] != value}
    if not differing:
        return row
    handling.session.connection().execute(_CHANGE, {**differing, "row_id": row["id"]})
    after = {**row, **differing}
    handling.changes += differences("ai_billables", row, after)
    return after


def _text(source: Mapping[str, Any], field: str) -> str | None:
    value = source.get(field)
    return value if isinstance(value, str) and value and value.isprintable() else None


def _ref(row: Row) -> str:
    return str(BillableRef(row["type"], row["external_id"]))
