"""Webhook deliveries: what waits for an endpoint, and what has become of it.

An endpoint has taken an event when it answers 2xx (Stripe: "Receive Stripe events in your webhook
endpoint"). A failed one is repeated after 1, 2, 4 … seconds of real time, an hour at the most, 16
times; ``POST /_sandbox/deliver`` repeats all that is left at once.
"""

import hashlib
import hmac
import json
import sqlite3
import threading
import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from . import events
from .call import Call
from .parts import Parts

MAX_ATTEMPTS = 16
LONGEST_WAIT = 3600.0
TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """One body on its way to one endpoint."""

    number: int
    event_id: str
    kind: str
    url: str
    secret: str
    body: bytes


class Deliveries:
    """Delivers; one round at a time, so that nothing goes out twice unless it is asked for."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._one_round = threading.Lock()

    def flush(self) -> list[dict[str, Any]]:
        """Try all that waits, now; each as ``event type url status``, None where nobody answered.

        Raises ConnectionAbortedError once the sandbox stops.
        """
        return self._round("1", ())

    def run_due(self) -> None:
        """Try what is due, unless webhooks go out by hand."""
        if self._parts.settings.deliveries == "at_once":
            self._round("due <= ? AND attempts < ?", (time.time(), MAX_ATTEMPTS))

    def _round(self, condition: str, values: tuple[Any, ...]) -> list[dict[str, Any]]:
        with self._one_round:
            waiting = self._waiting(condition, values)
            if self._parts.settings.delivery_order == "shuffled":
                waiting.sort(key=lambda each: each.event_id[::-1])  # ids are random
            return [self._deliver(each) for each in waiting]

    def _waiting(self, condition: str, values: tuple[Any, ...]) -> list[Delivery]:
        parts = self._parts
        with parts.store.transaction() as db:
            call = Call(db, int(parts.clock.now()), parts.store.account, settings=parts.settings)
            rows = db.execute(
                "SELECT d.n AS delivery, p.secret, p.body AS settings, e.* FROM deliveries AS d"
                " JOIN events AS e ON e.n = d.event JOIN endpoints AS p ON p.id = d.endpoint"
                " WHERE d.done = 0 AND p.deleted = 0"
                f" AND json_extract(p.body, '$.status') = 'enabled' AND {condition} ORDER BY d.n",
                values,
            ).fetchall()
            made = [_made(call, row) for row in rows]
            return [each for each in made for _ in range(parts.settings.delivery_copies)]

    def _deliver(self, delivery: Delivery) -> dict[str, Any]:
        status = None if self._parts.stop.is_set() else _post(delivery)
        is_taken = status is not None and 200 <= status < 300
        with self._parts.store.transaction() as db:
            row = db.execute(
                "SELECT attempts FROM deliveries WHERE n = ?", (delivery.number,)
            ).fetchone()
            attempts = row["attempts"] if row is not None else 0
            db.execute(
                "UPDATE deliveries SET attempts = ?, done = done OR ?, due = ? WHERE n = ?",
                (attempts + 1, is_taken, time.time() + min(2.0**attempts, LONGEST_WAIT),
                 delivery.number),
            )  # fmt: skip
        return {"event": delivery.event_id, "type": delivery.kind, "url": delivery.url,
                "status": status}  # fmt: skip


def waiting(db: sqlite3.Connection) -> int:
    """How many deliveries an endpoint has not taken."""
    found = db.execute("SELECT COUNT(*) FROM deliveries WHERE done = 0").fetchone()
    return int(found[0])


def signature(secret: str, body: bytes, at: int) -> str:
    """The header ``Stripe-Signature`` of a body, sent at epoch seconds."""
    signed = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={signed}"


def _made(call: Call, row: sqlite3.Row) -> Delivery:
    endpoint = json.loads(row["settings"])
    body = json.dumps(events.present(call, row, endpoint["api_version"]), indent=2).encode()
    return Delivery(row["delivery"], row["id"], row["type"], endpoint["url"], row["secret"], body)


def _post(delivery: Delivery) -> int | None:
    """The status that the endpoint answers, None when it does not."""
    url = urlsplit(delivery.url)
    kind = HTTPSConnection if url.scheme == "https" else HTTPConnection
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Stripe-Signature": signature(delivery.secret, delivery.body, int(time.time())),
        "User-Agent": "Stripe/1.0 (aimeter sandbox)",
    }
    try:
        connection = kind(url.netloc, timeout=TIMEOUT)
        try:
            connection.request("POST", path, delivery.body, headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()
    except (OSError, HTTPException, ValueError):
        return None
