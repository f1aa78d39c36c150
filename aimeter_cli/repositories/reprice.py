"""Usages that wait for a price or a rate, and where they stood when they were counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from operator import add
from typing import Any

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    Table,
    bindparam,
    func,
    select,
    text,
    update,
)
from sqlmodel import Session

from aimeter_cli.domain.pricing import TOKEN_FIELDS
from aimeter_cli.domain.quota import Totals
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.usages import WAITING, Usage, UsageCounter, UsageDay

_usages = table_of(Usage)
_counters = table_of(UsageCounter)
_billables = table_of(Billable)
_days = table_of(UsageDay)


def _tokens(table: Table) -> ColumnElement[int]:
    return reduce(add, (table.c[name] for name in TOKEN_FIELDS))


_PRUNED = select(
    func.coalesce(func.sum(_tokens(_days)), 0), func.coalesce(func.sum(_days.c.requests), 0)
).where(_days.c.counter_id == bindparam("counter"))


def waiting_ids(
    session: Session,
    provider: str | None,
    model: str | None,
    billable_id: int | None,
    state: str | None = None,
) -> list[int]:
    """Oldest first; None: any. Found by the index of what waits, and sorted here, lest the
    database walks all usages for the order."""
    query = select(_usages.c.id).where(text(WAITING))
    wanted = {"provider": provider, "model": model, "billable_id": billable_id, "state": state}
    for name, value in wanted.items():
        if value is not None:
            query = query.where(_usages.c[name] == value)
    return sorted(session.connection().execute(query).scalars())


def waiting(session: Session, ids: Sequence[int]) -> Sequence[RowMapping]:
    """Those of the usages that still wait, with ``type`` and ``external_id`` of the billable and,
    if there is one, the counter's key (``plan_id period_start period_end is_trial``)."""
    joined = _usages.join(_billables, _billables.c.id == _usages.c.billable_id).outerjoin(
        _counters, _counters.c.id == _usages.c.counter_id
    )
    of_counter = ("plan_id", "period_start", "period_end", "is_trial")
    query: Select[Any] = (
        select(
            _usages,
            _billables.c.type,
            _billables.c.external_id,
            *(_counters.c[name] for name in of_counter),
        )
        .select_from(joined)
        .where(_usages.c.id.in_(ids), text(WAITING))
        .order_by(_usages.c.id)
    )
    return session.connection().execute(query).mappings().all()


def lock_waiting(session: Session, ids: Sequence[int]) -> set[int]:
    """Ids of those that still wait, locked; their counters must be locked before."""
    query = (
        select(_usages.c.id)
        .where(_usages.c.id.in_(ids), text(WAITING))
        .order_by(_usages.c.id)
        .with_for_update()
    )
    return set(session.connection().execute(query).scalars())


def counted_at(
    session: Session, counter: Mapping[Any, Any], ids: Sequence[int]
) -> dict[int, Totals]:
    """Tokens and requests that the counter had when it counted each of these usages.

    Its usages are numbered in the order of counting. Those that were pruned came before: a period
    with a usage that waits is not pruned.
    """
    c = _usages.c
    tokens = _tokens(_usages)
    counted = (
        select(
            c.id,
            (func.sum(tokens).over(order_by=c.id) - tokens).label("tokens"),
            (func.row_number().over(order_by=c.id) - 1).label("requests"),
        )
        .where(
            c.billable_id == counter["billable_id"],
            c.occurred_at >= counter["period_start"],
            c.occurred_at < counter["period_end"],
            c.counter_id == counter["id"],
            c.adjusts_id.is_(None),
            c.id <= max(ids),
        )
        .subquery()
    )
    connection = session.connection()
    gone_tokens, gone_requests = connection.execute(_PRUNED, {"counter": counter["id"]}).one()
    rows = connection.execute(select(counted).where(counted.c.id.in_(ids)))
    return {
        usage_id: Totals(int(gone_tokens + before), int(gone_requests + requests))
        for usage_id, before, requests in rows
    }


def mark_priced(session: Session, ids: Iterable[int]) -> None:
    """They wait no more; locked before."""
    statement = update(_usages).where(_usages.c.id.in_(list(ids))).values(state="priced")
    session.connection().execute(statement)
