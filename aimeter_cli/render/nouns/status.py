"""Columns and JSON fields of the status."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimeter_cli.render import noun
from aimeter_cli.render.bars import share_column
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

if TYPE_CHECKING:
    from aimeter_cli.render.terminal import Terminal
    from aimeter_cli.services.status import Status

JOB = Noun(
    "job",
    (
        Column("command", noun.ID),
        Column("run_id", noun.ID, header="Run", priority=20),
        Column("host", noun.ID, priority=25),
        Column("started_at", TIME, header="Started"),
        Column("finished_at", TIME, header="Finished"),
        Column("exit_code", COUNT, header="Exit"),
        Column("last_success_at", TIME, header="Last success"),
        Column("age_seconds", COUNT, table=False),
        Column("is_overdue", FLAG, header="Overdue", good=False),
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
BY_STATUS = Noun(
    "unsynced",
    (
        Column("status", noun.STATUS),
        Column("currency", table=False),
        Column("count", COUNT, header="Overages"),
        Column("amount", MONEY),
    ),
)
STATUS = Noun(
    "status",
    (
        Column("is_ok", FLAG, header="OK", good=True),
        Column("problems", LIST),
        Column("is_paused", FLAG, header="Paused", good=False),
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


def shown_status(found: Status, terminal: Terminal | None) -> Noun:
    """On a terminal also by status, with its share of what each currency still owes."""
    if terminal is None:
        return STATUS
    from aimeter_cli.models.overages import STATUSES

    share = share_column(found.overages, lambda each: (each.currency, each.amount), terminal)
    by_status = Noun("unsynced", (*BY_STATUS.columns, share))
    rows = sorted(found.overages, key=lambda each: (each.currency, STATUSES.index(each.status)))
    column = Column("overages", ROWS, get=lambda _: rows, of=by_status, header="Unsynced by status")
    return Noun(STATUS.name, (*STATUS.columns, column))
