"""Usages as they are shown."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlmodel import col, select

from aimeter_cli.db.engine import Database
from aimeter_cli.errors import NotFound
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.usages import Usage, UsageCounter


@dataclass(frozen=True, slots=True)
class UsageView:
    """One usage. ``cost`` is in ``currency``, ``charge`` in ``charge_currency``, the plan's."""

    id: int
    billable: str
    provider: str
    model: str
    feature: str | None
    input_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost: Decimal | None
    currency: str
    idempotency_key: str
    occurred_at: datetime
    meta: dict[str, Any]
    state: str
    is_new: bool
    charge: Decimal
    charge_currency: str
    overage_id: int | None


def show_usage(database: Database, key: str, *, is_new: bool = False) -> UsageView:
    """The usage with this idempotency key. Raises NotFound."""
    with database.read() as session:
        found = session.exec(
            select(Usage, Billable, UsageCounter)
            .join(Billable, col(Billable.id) == Usage.billable_id)
            .outerjoin(UsageCounter, col(UsageCounter.id) == Usage.counter_id)
            .where(Usage.idempotency_key == key)
        ).first()
        if found is None:
            raise NotFound(f"there is no usage with the idempotency key {key!r}")
        usage, billable, counter = found
        shown = {
            name: getattr(usage, name)
            for name in UsageView.__dataclass_fields__
            if name not in ("billable", "meta", "is_new", "charge_currency")
        }
        return UsageView(
            **shown,
            billable=billable.ref,
            meta=json.loads(usage.meta) if usage.meta else {},
            is_new=is_new,
            charge_currency=counter.currency if counter is not None else usage.currency,
        )
