"""``ai_prices``: the prices that usages were charged with, each once."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlmodel import Field, SQLModel

from aimeter_cli.db.types import Nanos
from aimeter_cli.models.columns import moment, primary_key


class PriceRow(SQLModel, table=True):
    """Per million tokens of each class, in ``currency``. ``digest`` is of all else but times.

    ``source`` says who told the price, ``model`` what the caller called it.
    """

    __tablename__ = "ai_prices"

    id: int = primary_key()
    digest: str = Field(unique=True)
    provider: str
    model: str
    currency: str
    input_per_1m: Decimal | None = Field(default=None, sa_type=Nanos)
    cached_input_per_1m: Decimal | None = Field(default=None, sa_type=Nanos)
    cache_write_per_1m: Decimal | None = Field(default=None, sa_type=Nanos)
    output_per_1m: Decimal | None = Field(default=None, sa_type=Nanos)
    reasoning_per_1m: Decimal | None = Field(default=None, sa_type=Nanos)
    source: str
    created_at: datetime = moment()
