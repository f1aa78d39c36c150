"""Columns and JSON fields of what the ``db`` commands tell."""

from __future__ import annotations

from aimeter_cli.render.noun import COUNT, FLAG, ID, TIME, Column, Noun

STATE = Noun(
    "database",
    (
        Column("database"),
        Column("revision", none="empty"),
        Column("newest"),
        Column("is_current", FLAG, header="Current", good=True),
    ),
)

UPGRADE = Noun(
    "upgrade",
    (Column("database"), Column("before", none="empty"), Column("after"), Column("backup")),
)

BACKUP = Noun("backup", (Column("file"), Column("bytes", COUNT)))

RESTORED = Noun(
    "restore",
    (
        Column("restored_at", TIME),
        Column("items", COUNT, header="Items to look up"),
        Column("overages", COUNT, header="Overages not synced"),
    ),
)

COPIED = Noun(
    "copy",
    (
        Column("install_id", ID),
        Column("customers", COUNT, header="Customers forgotten"),
        Column("subscriptions", COUNT),
        Column("prices", COUNT),
        Column("items", COUNT),
    ),
)
