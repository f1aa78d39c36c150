"""INSERT … ON CONFLICT, which both databases have and SQLAlchemy keeps in its dialects."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from sqlalchemy import Table


def insert_into(dialect: str, table: Table) -> Any:
    """The dialect's own ``insert(table)``; the other dialect is not even imported."""
    return import_module(f"sqlalchemy.dialects.{dialect}").insert(table)
