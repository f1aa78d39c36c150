"""Columns and JSON fields of a limit override."""

from __future__ import annotations

from aimeter_cli.render.noun import COUNT, ID, LIST, MONEY, SERIAL, STATUS, TIME, Column, Noun

OVERRIDE = Noun(
    "override",
    (
        Column("id", SERIAL, get="override.id"),
        Column("billable", ID, get="billable.ref"),
        Column("status", STATUS),
        Column("starts_at", TIME, get="override.starts_at", header="Starts", is_dated=True),
        Column("ends_at", TIME, get="override.ends_at", header="Ends", is_dated=True),
        Column("token_limit", COUNT, get="override.token_limit"),
        Column("cost_limit", MONEY, get="override.cost_limit"),
        Column("currency", table=False),
        Column("request_limit", COUNT, get="override.request_limit"),
        Column("lifts", LIST, header="Unlimited"),
        Column("reason", get="override.reason", priority=20),
        Column("created_at", TIME, get="override.created_at", table=False),
    ),
    next="aimeter usage check {billable}",
)
