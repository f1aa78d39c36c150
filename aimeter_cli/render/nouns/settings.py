"""Columns and JSON fields of settings and of what ``init`` makes."""

from __future__ import annotations

from aimeter_cli.render.noun import Column, Noun

SETTING = Noun(
    "setting",
    (
        Column("key"),
        Column("value"),
        Column("source"),
        Column("variable", table=False),
        Column("path", table=False),
        Column("help", table=False),
    ),
)

INITIALISED = Noun(
    "initialised",
    (Column("config"), Column("database"), Column("revision"), Column("secrets")),
)
