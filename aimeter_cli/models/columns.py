"""Columns that many tables share, and the plain table behind a model."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Table
from sqlmodel import Field, SQLModel

from aimeter_cli.db.types import BigId, UTCDateTime


def primary_key() -> Any:
    return Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))


def reference(target: str, *, nullable: bool = False, index: bool = False) -> Any:
    """A foreign key to ``table.column``."""
    column: Column[int] = Column(BigInteger, ForeignKey(target), nullable=nullable, index=index)
    return Field(default=None, sa_column=column)


def moment(*, nullable: bool = False) -> Any:
    """An aware UTC time."""
    column: Column[datetime] = Column(UTCDateTime, nullable=nullable)
    return Field(default=None, sa_column=column)


def partial_index(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index of the rows for which ``where`` holds, on every database.

    Its predicate is kept in ``info`` until :mod:`aimeter_cli.models.registry` hands it to the
    dialects: naming both here would import both, at a cost that no short command should pay.
    """
    return Index(name, *columns, unique=unique, info={"where": where})


def table_of(model: type[SQLModel]) -> Table:
    """The Core table of a model, for statements on hot paths."""
    return SQLModel.metadata.tables[str(model.__tablename__)]
