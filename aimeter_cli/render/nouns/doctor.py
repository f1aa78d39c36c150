"""Columns and JSON fields of the doctor's checks."""

from __future__ import annotations

from aimeter_cli.render.noun import ID, STATUS, Column, Noun

CHECK = Noun("check", (Column("name", ID, header="Check"), Column("status", STATUS),
                       Column("detail", priority=60), Column("hint", priority=20)))  # fmt: skip
