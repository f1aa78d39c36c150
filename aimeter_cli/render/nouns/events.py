"""Columns and JSON fields of domain events and their deliveries."""

from __future__ import annotations

from aimeter_cli.render.noun import COUNT, FLAG, MAP, ROWS, STATUS, TIME, Column, Noun

DELIVERY = Noun(
    "delivery",
    (
        Column("sink"),
        Column("status", STATUS),
        Column("attempts", COUNT),
        Column("not_before", TIME, header="Next try"),
        Column("delivered_at", TIME, header="Delivered"),
        Column("last_error", header="Last error"),
    ),
)
EVENT = Noun(
    "event",
    (
        Column("id", COUNT),
        Column("created_at", TIME, header="Created"),
        Column("name"),
        Column("billable"),
        Column("payload", MAP, table=False),
        Column("fanned_out_at", TIME, table=False),
        Column("delivery", none="nobody wants it"),
        Column("deliveries", ROWS, of=DELIVERY, table=False),
    ),
)
ATTEMPT = Noun(
    "attempt",
    (
        Column("event_id", COUNT, header="Event"),
        Column("name"),
        Column("billable"),
        Column("sink"),
        Column("status", STATUS),
        Column("attempts", COUNT),
        Column("not_before", TIME, header="Next try"),
        Column("error"),
    ),
)
DELIVERY_RUN = Noun(
    "delivery run",
    (
        Column("run_id"),
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
PRUNED = Noun("pruned events", (Column("before", TIME), Column("events", COUNT)))
