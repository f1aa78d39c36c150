"""``ai_imported_rows``: which of our rows an import made of which row of another system."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel

from aimeter_cli.models.columns import moment


class ImportedRow(SQLModel, table=True):
    """``row_id``: ours, in the table that ``kind`` names, such as ``overage``. ``fingerprint``: a
    hash of theirs, by which a row that was changed there is told from the same.

    Usages and credit transactions have their idempotency keys instead.
    """

    __tablename__ = "ai_imported_rows"

    kind: str = Field(primary_key=True)
    source_id: int = Field(primary_key=True, sa_type=BigInteger)
    row_id: int = Field(sa_type=BigInteger)
    fingerprint: str
    imported_at: datetime = moment()
