"""Columns and JSON fields of domain events and their deliveries."""

from __future__ import annotations

from aimeter_cli.render.noun import COUNT, FLAG, ID, MAP, ROWS, SERIAL, STATUS, TIME, Column, Noun

DELIVERY = Noun(
    "delivery",
    (
        Column("sink", ID),
        Column("status", STATUS),
        Column("attempts", COUNT),
        Column("not_before", TIME, header="Next try"),
        Column("delivered_at", TIME, header="Delivered"),
        Column("last_error", header="Last error", priority=30),
    ),
)
EVENT = Noun(
    "event",
    (
        Column("id", SERIAL),
        Column("created_at", TIME, header="Created"),
        Column("name", ID),
        Column("billable", ID),
        Column("payload", MAP, table=False),
        Column("fanned_out_at", TIME, table=False),
        Column("delivery", none="nobody wants it"),
        Column("deliveries", ROWS, of=DELIVERY, table=False),
    ),
    next="aimeter events show {id}",
)
ATTEMPT = Noun(
    "attempt",
    (
        Column("event_id", SERIAL, header="Event"),
        Column("name", ID),
        Column("billable", ID),
        Column("sink", ID),
        Column("status", STATUS),
        Column("attempts", COUNT),
        Column("not_before", TIME, header="Next try"),
        Column("error", priority=30),
    ),
)
DELIVERY_RUN = Noun(
    "delivery run",
    (
        Column("run_id", ID),
        Column("dry_run", FLAG),
        Column("events", COUNT),
        Column("selected", COUNT),
        Column("delivered", COUNT),
        Column("failed", COUNT),
        Column("deferred", COUNT),
        Column("remaining", COUNT),
        Column("seconds", COUNT),
        Column("deliveries", ROWS, of=ATTEMPT),
    ),
)
PRUNED = Noun("pruned events", (Column("before", TIME, is_dated=True), Column("events", COUNT)))
