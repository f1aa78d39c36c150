"""Columns and JSON fields of an audit: differences, and where all of the money is."""

from __future__ import annotations

from aimeter_cli.render.noun import COUNT, FLAG, LIST, MONEY, ROWS, STATUS, Column, Noun

DIFFERENCE = Noun(
    "difference",
    (
        Column("check", STATUS),
        Column("billable"),
        Column("record"),
        Column("detail"),
        Column("expected", MONEY, table=False),
        Column("found", MONEY, table=False),
        Column("difference", MONEY, header="Off by"),
        Column("currency", table=False),
        Column("hint"),
    ),
)
BALANCE = Noun(
    "balance",
    (
        Column("billable"),
        Column("currency", table=False),
        Column("overages", MONEY),
        Column("items", MONEY, header="Invoice items"),
        Column("carry", MONEY),
        Column("unsent", MONEY),
        Column("in_flight", MONEY),
        Column("held", MONEY),
        Column("waived", MONEY),
        Column("external", MONEY),
        Column("by_person", MONEY),
        Column("difference", MONEY, header="Off by"),
    ),
)
AUDIT = Noun(
    "audit",
    (
        Column("adds_up", FLAG),
        Column("usages", COUNT),
        Column("overages", COUNT),
        Column("items", COUNT),
        Column("items_at_stripe", COUNT, get="at_stripe"),
        Column("differences", ROWS, of=DIFFERENCE),
        Column("totals", ROWS, of=BALANCE),
        Column("notes", LIST),
    ),
)
