"""Stored subscriptions: read, write, end; with the events that tell of it."""

import json
import sqlite3

from . import timers
from .call import Call, Json
from .events import emit, emit_updated
from .lists import stored
from .refusals import missing


def load(call: Call, subscription_id: str, param: str, status: int = 400) -> Json:
    """The subscription's JSON; raises ``resource_missing`` for an unknown one."""
    row: sqlite3.Row | None = call.db.execute(
        "SELECT * FROM subscriptions WHERE id = ?", (subscription_id,)
    ).fetchone()
    if row is None:
        raise missing("subscription", subscription_id, param, status)
    return stored(call, row)


def load_for(call: Call, subscription_id: str, customer_id: str) -> Json:
    """The customer's subscription that an item or an invoice names; raises 400 otherwise."""
    body = load(call, subscription_id, "subscription")
    if body["customer"] != customer_id:
        raise missing("subscription", subscription_id, "subscription")
    return body


def save(call: Call, body: Json, *kinds: str) -> None:
    """Write the subscription's JSON back, make its events, and note when time changes it next.

    ``kinds`` are told beside ``updated``.
    """
    before = load(call, body["id"], "id")
    write(call, body)
    for kind in kinds:
        emit(call, kind, body)
    emit_updated(call, "customer.subscription.updated", body, before)
    if (before["status"], before["trial_end"]) != (body["status"], body["trial_end"]):
        timers.watch_trial(call, body)


def insert(call: Call, body: Json) -> None:
    """Store a new subscription; its event is made once its first invoice is."""
    call.db.execute(
        "INSERT INTO subscriptions (id, customer, currency, status, created, body)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (body["id"], body["customer"], body["currency"], body["status"], call.now,
         json.dumps(body)),
    )  # fmt: skip
    timers.watch_subscription(call, body)
    timers.watch_trial(call, body)


def write(call: Call, body: Json) -> None:
    """The same as :func:`save`, without events."""
    timers.watch_subscription(call, body)
    call.db.execute(
        "UPDATE subscriptions SET status = ?, body = ? WHERE id = ?",
        (body["status"], json.dumps(body), body["id"]),
    )


def end(call: Call, body: Json, reason: str = "cancellation_requested") -> Json:
    """It ends now; returns its JSON. When the customer asked before, that time stays."""
    body["status"] = "canceled"
    body["ended_at"] = call.now
    body["canceled_at"] = body["canceled_at"] or call.now
    body["cancellation_details"]["reason"] = reason
    write(call, body)
    emit(call, "customer.subscription.deleted", body)
    return body


def end_all(call: Call, customer_id: str) -> None:
    """Cancel every subscription of a customer that is being deleted."""
    rows = call.db.execute(
        "SELECT * FROM subscriptions WHERE customer = ? AND status <> 'canceled'", (customer_id,)
    )
    for row in rows.fetchall():
        end(call, stored(call, row))
