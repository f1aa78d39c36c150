"""Columns and JSON fields of webhook events: what became of them, and what is stored."""

from __future__ import annotations

from aimeter_cli.render.noun import COUNT, FLAG, ROWS, STATUS, TIME, Column, Noun

_CHANGED = (
    Column("table"),
    Column("id", COUNT),
    Column("field"),
    Column("before"),
    Column("after"),
)
CHANGE = Noun("change", _CHANGED)
CHANGE_OF_EVENT = Noun("change of an event", (Column("event_id", header="Event"), *_CHANGED))
"""The same for people, who see the changes of all events in one table."""

EVENT_RESULT = Noun(
    "replayed webhook event",
    (
        Column("file"),
        Column("event_id", header="Event"),
        Column("type"),
        Column("status", STATUS),
        Column("changes", ROWS, of=CHANGE, table=False),
        Column("error"),
    ),
)

_STORED = (
    Column("event_id", header="Event"),
    Column("type"),
    Column("livemode", FLAG, table=False),
    Column("object_id", header="Object"),
    Column("created", TIME),
    Column("status", STATUS),
    Column("attempts", COUNT),
    Column("error"),
    Column("waits_for", table=False),
    Column("received_at", TIME, table=False),
    Column("handled_at", TIME, header="Handled"),
)
WEBHOOK_EVENT = Noun("webhook event", _STORED)
STORED_EVENT = Noun("stored webhook event", (*_STORED, Column("digest"), Column("payload")))
"""One event with the text that came."""

PAYLOAD_PRUNE = Noun(
    "prune of payloads",
    (Column("dry_run", FLAG), Column("before", TIME), Column("pruned", COUNT)),
)
