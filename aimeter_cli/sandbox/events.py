"""Events: what happened to an object, and when (Stripe: API reference, "Events").

They are stored in today's shape; what is older asks :mod:`.shapes`. An endpoint that wants an event
gets a row in ``deliveries``; without endpoints an event costs one insert.
"""

import json
import sqlite3
import time
from typing import Any

from . import shapes
from .call import Call, Json
from .identifiers import new_id
from .lists import PAGING, Selection, page
from .params import Field, Fields
from .refusals import invalid, missing

URL = "/v1/events"

DAYS = 30
"""Events are told for so long."""

MAX_TYPES = 20

LIST: Fields = {
    **PAGING,
    "created": Field("range"),
    "delivery_success": Field("boolean"),
    "type": Field(),
    "types": Field("array"),
}
RETRIEVE: Fields = {"expand": Field("array")}

_WAITS = "SELECT event FROM deliveries WHERE done = 0"


def emit(call: Call, kind: str, body: Json, before: Json | None = None) -> None:
    """Note that ``body`` is how the object looks after an event of type ``kind``.

    ``before`` is the object as it was; the difference becomes ``previous_attributes``.
    """
    data: Json = {"object": body}
    if before is not None:
        data["previous_attributes"] = difference(before, body)
    cursor = call.db.execute(
        "INSERT INTO events (id, type, api_version, created, request, idempotency_key, body)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            new_id("evt"), kind, call.settings.api_version, call.now, call.request_id, call.key,
            json.dumps(data),
        ),
    )  # fmt: skip
    for endpoint in call.db.execute("SELECT id, body FROM endpoints WHERE deleted = 0").fetchall():
        settings = json.loads(endpoint["body"])
        if settings["status"] == "enabled" and {"*", kind} & set(settings["enabled_events"]):
            made = time.time()
            call.db.execute(
                "INSERT INTO deliveries (event, endpoint, made, due) VALUES (?, ?, ?, ?)",
                (cursor.lastrowid, endpoint["id"], made, made + call.settings.delivery_delay),
            )


def emit_updated(call: Call, kind: str, body: Json, before: Json) -> None:
    """The same for ``kind``, which ends in ``.updated``, where there is a difference."""
    if body != before:
        emit(call, kind, body, before)


def difference(before: Json, after: Json) -> Json:
    """The values before, of what has changed; inside objects, only what has changed there."""
    changed: Json = {}
    for name in before.keys() | after.keys():
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        nested = isinstance(old, dict) and isinstance(new, dict)
        changed[name] = difference(old, new) if nested else old  # type: ignore[arg-type]
    return dict(sorted(changed.items()))


def retrieve(call: Call) -> Json:
    """``GET /v1/events/{id}``, for 30 days."""
    row = call.db.execute(
        "SELECT * FROM events WHERE id = ? AND created >= ?", (call.object_id, _oldest(call))
    ).fetchone()
    if row is None:
        raise missing("event", call.object_id, "id", 404)
    return present(call, row)


def list_(call: Call) -> Json:
    """``GET /v1/events``: ``type`` may be a group, ``invoice.*``; 20 ``types`` at the most.

    ``delivery_success=false`` tells those that an endpoint has not taken.
    """
    given = call.params
    selection = Selection("events", "event", URL)
    selection.where("created >= ?", _oldest(call))
    selection.created(call)
    if "type" in given and "types" in given:
        raise invalid("You may only specify one of these parameters: type, types.", "type")
    if "type" in given:
        selection.where("type GLOB ?", given["type"])
    if "types" in given:
        kinds = given["types"]
        if len(kinds) > MAX_TYPES:
            raise invalid(f"You may specify at most {MAX_TYPES} types.", "types")
        selection.where(f"type IN ({', '.join('?' * len(kinds))})", *kinds)
    if "delivery_success" in given:
        selection.where(f"n {'NOT ' if given['delivery_success'] else ''}IN ({_WAITS})")
    return page(call, selection, present)


def everything(call: Call) -> list[Json]:
    """All events, oldest first, for tests to look at."""
    return [present(call, row) for row in call.db.execute("SELECT * FROM events ORDER BY n")]


def present(call: Call, row: sqlite3.Row, api_version: str | None = None) -> Json:
    """The event object, in the shape of a version, else of the one that it was made with."""
    version = api_version or row["api_version"]
    waiting = call.db.execute(
        "SELECT COUNT(*) FROM deliveries WHERE event = ? AND done = 0", (row["n"],)
    ).fetchone()
    data: dict[str, Any] = json.loads(row["body"])
    return {
        "id": row["id"],
        "object": "event",
        "api_version": version,
        "created": row["created"],
        "data": shapes.before_basil(data) if shapes.is_before_basil(version) else data,
        "livemode": False,
        "pending_webhooks": waiting[0],
        "request": {"id": row["request"], "idempotency_key": row["idempotency_key"]},
        "type": row["type"],
    }


def _oldest(call: Call) -> int:
    return call.now - DAYS * 86_400
