"""Stored invoices, written with the events that tell of it."""

from . import events, invoice_rows, timers
from .call import Call, Json
from .invoice_view import present


def created(call: Call, body: Json) -> Json:
    """Tell of a new draft, whose lines are on it; returns the invoice object."""
    shown = present(call, body)
    events.emit(call, "invoice.created", shown)
    timers.watch_invoice(call, body)
    return shown


def save(call: Call, body: Json, *kinds: str, before: Json | None = None) -> Json:
    """Write the invoice back and return its object; ``kinds`` are its events beside ``updated``.

    ``before`` is the object as it was, for changes of its lines.
    """
    if before is None:
        before = present(call, invoice_rows.load(call, body["id"]))
    invoice_rows.save(call, body)
    timers.watch_invoice(call, body)
    shown = present(call, body)
    for kind in kinds:
        events.emit(call, kind, shown)
    events.emit_updated(call, "invoice.updated", shown, before)
    return shown


def deleted(call: Call, shown: Json) -> None:
    """Tell that the draft, shown as it was, is gone."""
    timers.forget(call, shown["id"])
    events.emit(call, "invoice.deleted", shown)
