"""The ledger and the wallets as people read them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, RowMapping, Select, cast, func, select, text, type_coerce
from sqlmodel import Session

from aimeter_cli.domain.money import from_nanos
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.usages import UNPAID, Usage
from aimeter_cli.repositories.credits import entries, grants, nanos, wallets

_billables = table_of(Billable)
_usages = table_of(Usage)


@dataclass(frozen=True, slots=True)
class EntryView:
    """A line of a wallet's ledger, amounts in major units."""

    id: int
    billable: str
    kind: str
    amount: Decimal
    currency: str
    balance_after: Decimal
    reason: str | None
    idempotency_key: str | None
    usage_id: int | None
    reverses_id: int | None
    meta: Mapping[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entries; None: any. ``since`` is inclusive, ``until`` exclusive."""

    entry_id: int | None = None
    billable: BillableRef | None = None
    kinds: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class GrantView:
    """What is left of credits that came at once, by ``transaction_id``."""

    transaction_id: int
    amount: Decimal
    remaining: Decimal
    currency: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Unpaid:
    """Usages that wait to be paid: how many, and what they cost in their currency."""

    usages: int
    cost: Decimal
    currency: str


def entry_row(session: Session, entry_id: int) -> RowMapping | None:
    """Kind, amount in nanos, usage, lots and billable of an entry."""
    statement = (
        select(
            entries.c.id, entries.c.kind, nanos(entries.c.amount, "amount"), entries.c.usage_id,
            entries.c.lots, wallets.c.billable_id,
        )
        .join(wallets, wallets.c.id == entries.c.wallet_id)
        .where(entries.c.id == entry_id)
    )  # fmt: skip
    return session.connection().execute(statement).mappings().first()


def entry_views(session: Session, wanted: Filter, limit: int) -> list[EntryView]:
    """The newest first."""
    statement = _narrowed(
        select(
            entries, wallets.c.currency, _billables.c.type, _billables.c.external_id,
        )
        .select_from(entries.join(wallets, wallets.c.id == entries.c.wallet_id)
                     .join(_billables, _billables.c.id == wallets.c.billable_id)),
        wanted,
    )  # fmt: skip
    rows = session.connection().execute(statement.order_by(entries.c.id.desc()).limit(limit))
    return [_view(row) for row in rows.mappings()]


def _narrowed(statement: Select[Any], wanted: Filter) -> Select[Any]:
    if wanted.entry_id is not None:
        statement = statement.where(entries.c.id == wanted.entry_id)
    if wanted.billable is not None:
        ref = wanted.billable
        statement = statement.where(
            _billables.c.type == ref.type, _billables.c.external_id == ref.id
        )
    if wanted.kinds:
        statement = statement.where(entries.c.kind.in_(wanted.kinds))
    if wanted.since is not None:
        statement = statement.where(entries.c.created_at >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(entries.c.created_at < wanted.until)
    return statement


def _view(row: RowMapping) -> EntryView:
    return EntryView(
        row["id"], f"{row['type']}:{row['external_id']}", row["kind"], row["amount"],
        row["currency"], row["balance_after"], row["reason"], row["idempotency_key"],
        row["usage_id"], row["reverses_id"], json.loads(row["meta"] or "{}"), row["created_at"],
    )  # fmt: skip


def grant_views(session: Session, billable_id: int, now: datetime) -> list[GrantView]:
    """What may still be spent, in the order of spending."""
    statement = (
        select(grants, wallets.c.currency)
        .join(wallets, wallets.c.id == grants.c.wallet_id)
        .where(
            wallets.c.billable_id == billable_id, text("remaining > 0"),
            grants.c.expires_at.is_(None) | (grants.c.expires_at > now),
        )
        .order_by(grants.c.expires_at.is_(None), grants.c.expires_at, grants.c.id)
    )  # fmt: skip
    return [
        GrantView(
            row["transaction_id"], row["amount"], row["remaining"], row["currency"],
            row["expires_at"],
        )
        for row in session.connection().execute(statement).mappings()
    ]  # fmt: skip


def unpaid_totals(session: Session, billable_id: int) -> Sequence[Unpaid]:
    """By currency."""
    cost = cast(func.sum(type_coerce(_usages.c.cost, BigInteger)), BigInteger)
    statement = (
        select(func.count(), cost, _usages.c.currency)
        .where(_usages.c.billable_id == billable_id, text(UNPAID))
        .group_by(_usages.c.currency)
        .order_by(_usages.c.currency)
    )
    rows = session.connection().execute(statement)
    return [Unpaid(count, from_nanos(nanos_), currency) for count, nanos_, currency in rows]
