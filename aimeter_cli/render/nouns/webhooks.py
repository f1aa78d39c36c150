"""Columns and JSON fields of webhook events: what became of them, and what is stored."""

from __future__ import annotations

from aimeter_cli.render.noun import COUNT, FLAG, ID, ROWS, SERIAL, STATUS, TIME, Column, Noun

_CHANGED = (
    Column("table", ID),
    Column("id", SERIAL),
    Column("field", ID),
    Column("before", none="none"),
    Column("after", none="none"),
)
CHANGE = Noun("change", _CHANGED)
CHANGE_OF_EVENT = Noun("change of an event", (Column("event_id", ID, header="Event"), *_CHANGED))
"""The same for people, who see the changes of all events in one table."""

EVENT_RESULT = Noun(
    "replayed webhook event",
    (
        Column("file"),
        Column("event_id", ID, header="Event"),
        Column("type", ID),
        Column("status", STATUS),
        Column("changes", ROWS, of=CHANGE, table=False),
        Column("error", header="Reason", priority=30),
    ),
)

_STORED = (
    Column("event_id", ID, header="Event"),
    Column("type", ID),
    Column("livemode", FLAG, table=False),
    Column("object_id", ID, header="Object", priority=35),
    Column("created", TIME),
    Column("status", STATUS),
    Column("attempts", COUNT),
    Column("error", header="Reason", priority=30),
    Column("waits_for", table=False),
    Column("received_at", TIME, table=False),
    Column("handled_at", TIME, header="Handled"),
)
WEBHOOK_EVENT = Noun("webhook event", _STORED, next="aimeter webhooks show {event_id}")
STORED_EVENT = Noun("stored webhook event", (*_STORED, Column("digest"), Column("payload")))
"""One event with the text that came."""

PAYLOAD_PRUNE = Noun(
    "prune of payloads",
    (Column("dry_run", FLAG), Column("before", TIME), Column("pruned", COUNT)),
)
