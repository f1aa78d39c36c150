"""Usages as they are shown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement
from sqlmodel import Session, and_, col, select

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.money import Money
from aimeter_cli.domain.pricing import PRICE_KEYS, TOKEN_FIELDS
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.errors import InvalidInput, NotFound
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.prices import PriceRow
from aimeter_cli.models.usages import Usage, UsageCounter
from aimeter_cli.services.billables import billable_named

STATES = ("priced", "unpriced", "needs_rate", "unpaid")


@dataclass(frozen=True, slots=True)
class UsageView:
    """One usage. ``cost`` is in ``currency``, ``charge`` in ``charge_currency``, the plan's.

    ``price``: per million tokens of each class that has one, and its currency, as it was when it
    was charged; None where the caller told the cost, or nobody knows a price.
    """

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
    billing_mode: str
    user: str | None
    tenant: str | None
    adjusts_id: int | None
    price: dict[str, str] | None
    price_source: str | None

    @property
    def tokens(self) -> int:
        return sum(getattr(self, name) for name in TOKEN_FIELDS)


@dataclass(frozen=True, slots=True)
class UsageFilter:
    """None: any. ``[since, until)`` is of ``occurred_at``."""

    billable: BillableRef | None = None
    provider: str | None = None
    model: str | None = None
    feature: str | None = None
    tenant: str | None = None
    user: str | None = None
    state: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class UsageListing:
    """``is_cut``: more usages match."""

    rows: list[UsageView]
    is_cut: bool

    @property
    def summary(self) -> list[str]:
        """What the rows come to, a line for each currency: no sum crosses them."""
        codes = {row.currency for row in self.rows} | {row.charge_currency for row in self.rows}
        return [line for code in sorted(codes) if (line := self._sum(code))]

    def _sum(self, code: str) -> str:
        of_cost = [row for row in self.rows if row.currency == code]
        charged = [row.charge for row in self.rows if row.charge_currency == code and row.charge]
        if not of_cost:
            return f"charged {Money(sum(charged, Decimal(0)), code)}" if charged else ""
        cost = sum((row.cost for row in of_cost if row.cost is not None), Decimal(0))
        requests = sum(row.adjusts_id is None for row in of_cost)
        tokens = sum(row.tokens for row in of_cost)
        told = f"{requests:,} usage(s), {tokens:,} tokens, cost {Money(cost, code)}"
        missing = sum(row.state == "unpriced" for row in of_cost)
        if missing:
            told += f" without {missing:,} unpriced"
        return f"{told}, charged {Money(sum(charged, Decimal(0)), code)}" if charged else told


def list_usages(database: Database, wanted: UsageFilter, *, limit: int) -> UsageListing:
    """Newest first: of one billable by the time they occurred, else in the order of recording.

    Either is the order of an index, so that few of many are found quickly. Raises InvalidInput
    for an unknown state, NotFound for an unknown billable.
    """
    if wanted.state is not None and wanted.state not in STATES:
        raise InvalidInput(f"--state: {wanted.state!r} is none of {', '.join(STATES)}")
    with database.read() as session:
        found = _views(session, and_(True, *_conditions(session, wanted)), wanted, limit + 1)
    return UsageListing(found[:limit], len(found) > limit)


def show_usage(database: Database, key: str, *, is_new: bool = False) -> UsageView:
    """The usage with this idempotency key. Raises NotFound."""
    with database.read() as session:
        found = _views(session, col(Usage.idempotency_key) == key, UsageFilter(), 1, is_new=is_new)
    if not found:
        raise NotFound(f"there is no usage with the idempotency key {key!r}")
    return found[0]


def _conditions(session: Session, wanted: UsageFilter) -> Sequence[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.billable is not None:
        conditions.append(col(Usage.billable_id) == billable_named(session, wanted.billable).id)
    names = {"user": "user_ref"}
    for name in ("provider", "model", "feature", "tenant", "user", "state"):
        value = getattr(wanted, name)
        if value is not None:
            conditions.append(col(getattr(Usage, names.get(name, name))) == value)
    if wanted.since is not None:
        conditions.append(col(Usage.occurred_at) >= wanted.since)
    if wanted.until is not None:
        conditions.append(col(Usage.occurred_at) < wanted.until)
    return conditions


def _views(
    session: Session,
    condition: ColumnElement[bool],
    wanted: UsageFilter,
    limit: int,
    *,
    is_new: bool = False,
) -> list[UsageView]:
    newest: list[ColumnElement[Any]] = [col(Usage.id).desc()]
    if wanted.billable is not None:
        newest.insert(0, col(Usage.occurred_at).desc())
    rows = session.exec(
        select(Usage, Billable, UsageCounter, PriceRow)
        .join(Billable, col(Billable.id) == Usage.billable_id)
        .outerjoin(UsageCounter, col(UsageCounter.id) == Usage.counter_id)
        .outerjoin(PriceRow, col(PriceRow.id) == Usage.price_id)
        .where(condition)
        .order_by(*newest)
        .limit(limit)
    )
    return [_view(*row, is_new=is_new) for row in rows]


_OWN = (
    "billable", "meta", "is_new", "charge_currency", "user", "billing_mode", "price",
    "price_source",
)  # fmt: skip


def _view(
    usage: Usage,
    billable: Billable,
    counter: UsageCounter | None,
    price: PriceRow | None,
    *,
    is_new: bool,
) -> UsageView:
    names = (field.name for field in fields(UsageView) if field.name not in _OWN)
    return UsageView(
        **{name: getattr(usage, name) for name in names},
        billable=billable.ref,
        meta=json.loads(usage.meta) if usage.meta else {},
        is_new=is_new,
        charge_currency=counter.currency if counter is not None else usage.currency,
        user=usage.user_ref,
        billing_mode=usage.billing_mode or "plan",
        price=None if price is None else _told(price),
        price_source=None if price is None else price.source,
    )


def _told(price: PriceRow) -> dict[str, str]:
    amounts = {key: getattr(price, key) for key in PRICE_KEYS}
    told = {key: f"{value:.9f}" for key, value in amounts.items() if value is not None}
    return {"currency": price.currency, **told}
