"""Columns and JSON fields of an audit: differences, and where all of the money is."""

from __future__ import annotations

from aimeter_cli.render.noun import (
    COUNT,
    FLAG,
    ID,
    LIST,
    MONEY,
    ROWS,
    SERIAL,
    STATUS,
    TIME,
    Column,
    Noun,
)

DIFFERENCE = Noun(
    "difference",
    (
        Column("check", STATUS),
        Column("billable", ID),
        Column("record", ID),
        Column("detail", priority=60),
        Column("expected", MONEY, table=False),
        Column("found", MONEY, table=False),
        Column("difference", MONEY, header="Off by"),
        Column("currency", table=False),
        Column("hint", priority=20),
    ),
)
BALANCE = Noun(
    "balance",
    (
        Column("billable", ID),
        Column("currency", table=False),
        Column("overages", MONEY, priority=90),
        Column("items", MONEY, header="Invoice items"),
        Column("carry", MONEY),
        Column("unsent", MONEY),
        Column("in_flight", MONEY),
        Column("held", MONEY),
        Column("waived", MONEY),
        Column("external", MONEY),
        Column("by_person", MONEY),
        Column("difference", MONEY, header="Off by", priority=80),
    ),
)
LOST = Noun(
    "lost item",
    (
        Column("billable", ID),
        Column("item_id", SERIAL),
        Column("amount", MONEY),
        Column("currency", table=False),
        Column("stripe_invoice_id", ID, header="Invoice"),
        Column("invoice_status", STATUS),
        Column("since", TIME),
    ),
)
AUDIT = Noun(
    "audit",
    (
        Column("adds_up", FLAG, good=True),
        Column("usages", COUNT),
        Column("overages", COUNT),
        Column("items", COUNT),
        Column("items_at_stripe", COUNT, get="at_stripe"),
        Column("differences", ROWS, of=DIFFERENCE),
        Column("totals", ROWS, of=BALANCE),
        Column("notes", LIST),
        Column("lost", ROWS, of=LOST),
    ),
)
