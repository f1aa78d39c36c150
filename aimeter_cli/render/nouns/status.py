"""Columns and JSON fields of the status."""

from __future__ import annotations

from aimeter_cli.render.noun import (
    COUNT,
    FLAG,
    LIST,
    MAP,
    MONEY,
    ROWS,
    TIME,
    Column,
    Noun,
)
from aimeter_cli.render.nouns.sync import BLOCKED

JOB = Noun(
    "job",
    (
        Column("command"),
        Column("run_id", header="Run"),
        Column("host"),
        Column("started_at", TIME, header="Started"),
        Column("finished_at", TIME, header="Finished"),
        Column("exit_code", COUNT, header="Exit"),
        Column("last_success_at", TIME, header="Last success"),
        Column("age_seconds", COUNT, table=False),
        Column("is_overdue", FLAG, header="Overdue"),
        Column("error"),
        Column("counts", MAP, table=False),
    ),
)
UNSYNCED = Noun(
    "unsynced",
    (
        Column("currency", table=False),
        Column("count", COUNT, header="Unsynced"),
        Column("amount", MONEY),
        Column("oldest_at", TIME, header="Oldest"),
    ),
)
STATUS = Noun(
    "status",
    (
        Column("is_ok", FLAG, header="OK"),
        Column("problems", LIST),
        Column("is_paused", FLAG, header="Paused"),
        Column("paused_at", TIME, header="Paused since"),
        Column("paused_reason"),
        Column("failed", COUNT),
        Column("held", COUNT),
        Column("unknown", COUNT),
        Column("blocked", COUNT),
        Column("stranded", COUNT),
        Column("backing_off", COUNT),
        Column("next_retry_at", TIME, header="Next retry"),
        Column("unanswered_since", TIME, header="Unanswered"),
        Column("webhooks_due", COUNT),
        Column("jobs", ROWS, of=JOB),
        Column("unsynced", ROWS, of=UNSYNCED),
        Column("blocked_reasons", ROWS, of=BLOCKED),
    ),
)
