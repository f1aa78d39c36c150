"""Columns and JSON fields of what the ``db`` commands tell."""

from __future__ import annotations

from aimeter_cli.render.noun import COUNT, FLAG, Column, Noun

STATE = Noun(
    "database",
    (
        Column("database"),
        Column("revision", none="empty"),
        Column("newest"),
        Column("is_current", FLAG, header="Current"),
    ),
)

UPGRADE = Noun(
    "upgrade",
    (Column("database"), Column("before", none="empty"), Column("after"), Column("backup")),
)

BACKUP = Noun("backup", (Column("file"), Column("bytes", COUNT)))
