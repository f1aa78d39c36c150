"""Columns and JSON fields of the doctor's checks."""

from __future__ import annotations

from aimeter_cli.render.noun import STATUS, Column, Noun

CHECK = Noun("check", (Column("name", header="Check"), Column("status", STATUS), Column("detail"),
                       Column("hint")))  # fmt: skip
