"""Stored subscriptions: read, write, end."""

import json
import sqlite3

from .call import Call, Json
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


def save(call: Call, body: Json) -> None:
    """Write the subscription's JSON back."""
    call.db.execute(
        "UPDATE subscriptions SET status = ?, body = ? WHERE id = ?",
        (body["status"], json.dumps(body), body["id"]),
    )


def end(call: Call, body: Json) -> Json:
    """Cancel it at once and return its JSON."""
    body["status"] = "canceled"
    body["canceled_at"] = body["ended_at"] = call.now
    body["cancellation_details"]["reason"] = "cancellation_requested"
    save(call, body)
    return body


def end_all(call: Call, customer_id: str) -> None:
    """Cancel every subscription of a customer that is being deleted."""
    rows = call.db.execute(
        "SELECT * FROM subscriptions WHERE customer = ? AND status <> 'canceled'", (customer_id,)
    )
    for row in rows.fetchall():
        end(call, stored(call, row))
