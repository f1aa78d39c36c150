"""Columns and JSON fields of alerts."""

from __future__ import annotations

from aimeter_cli.render.noun import COUNT, FLAG, ID, MAP, ROWS, SERIAL, STATUS, TIME, Column, Noun
from aimeter_cli.render.nouns.events import DELIVERY_RUN

ALERT = Noun(
    "alert",
    (
        Column("id", SERIAL),
        Column("alert"),
        Column("status", STATUS),
        Column("kind", ID),
        Column("subject", table=False),
        Column("detail"),
        Column("opened_at", TIME, header="Opened"),
        Column("last_told_at", TIME, header="Last told"),
        Column("gone_at", TIME, table=False),
        Column("closed_at", TIME, header="Closed"),
        Column("hint", priority=20),
        Column("facts", MAP, table=False),
    ),
)
TOLD = Noun(
    "told alert",
    (
        Column("change", STATUS),
        Column("alert"),
        Column("kind"),
        Column("subject", table=False),
        Column("detail"),
        Column("opened_at", TIME, header="Opened"),
        Column("hint"),
    ),
)
ALERT_CHECK = Noun(
    "alert check",
    (
        Column("dry_run", FLAG),
        Column("open", COUNT),
        Column("told", ROWS, of=TOLD),
        Column("delivery", ROWS, of=DELIVERY_RUN),
    ),
)
TEST_ALERT = Noun(
    "test alert",
    (
        Column("alert"),
        Column("to"),
        Column("text"),
        Column("is_delivered", FLAG, header="Delivered"),
    ),
)
