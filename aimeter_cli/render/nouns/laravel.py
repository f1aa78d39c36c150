"""Columns and JSON fields of an import from the Laravel package: what became of every row."""

from __future__ import annotations

from aimeter_cli.render.noun import COUNT, FLAG, LIST, MONEY, ROWS, Column, Noun

TABLE = Noun(
    "imported table",
    (
        Column("table"),
        Column("rows", COUNT, header="Rows there"),
        Column("read", COUNT),
        Column("imported", COUNT),
        Column("there_already", COUNT),
        Column("left_out", COUNT),
    ),
)
SUM = Noun(
    "reconciled sum",
    (
        Column("table"),
        Column("what"),
        Column("currency", table=False),
        Column("theirs", MONEY),
        Column("left_out", MONEY),
        Column("ours", MONEY),
        Column("difference", MONEY, header="Off by"),
    ),
)
LEFT_OUT = Noun(
    "left out",
    (
        Column("table"),
        Column("reason", header="Left out because"),
        Column("rows", COUNT),
        Column("ids", header="Their ids"),
    ),
)
IMPORT = Noun(
    "laravel import",
    (
        Column("source"),
        Column("dry_run", FLAG),
        Column("adds_up", FLAG),
        Column("tables", ROWS, of=TABLE),
        Column("sums", ROWS, of=SUM),
        Column("left_out", ROWS, of=LEFT_OUT),
        Column("notes", LIST),
    ),
)
