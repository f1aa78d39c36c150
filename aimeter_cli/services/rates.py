"""Conversion rates: stored, listed, removed, and tried out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from sqlmodel import Session

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.money import from_nanos, to_nanos
from aimeter_cli.domain.periods import iso
from aimeter_cli.domain.rates import Rate
from aimeter_cli.errors import InvalidInput, NotFound
from aimeter_cli.models.rates import RateRow
from aimeter_cli.repositories import rates as repository
from aimeter_cli.services.exchange import CONFIGURED, Exchange
from aimeter_cli.settings.table import Settings

Effect = Literal["added", "changed", "unchanged"]


@dataclass(frozen=True, slots=True)
class RateView:
    """A rate at a moment. ``age_days`` is None for those of the configuration, which have none."""

    base: str
    quote: str
    value: Decimal
    effective_at: datetime | None
    source: str
    age_days: int | None = None
    is_too_old: bool = False


@dataclass(frozen=True, slots=True)
class StoredRate:
    """A rate that was stored, and what that did."""

    base: str
    quote: str
    value: Decimal
    effective_at: datetime
    source: str
    effect: Effect


@dataclass(frozen=True, slots=True)
class Converted:
    """``amount`` of ``currency`` is ``result`` of ``result_currency``, by ``via``."""

    amount: Decimal
    currency: str
    result: Decimal
    result_currency: str
    rate: Decimal
    via: str
    at: datetime


def set_rates(
    database: Database, rates: Iterable[Rate], *, now: datetime, dry_run: bool = False
) -> list[StoredRate]:
    """Store all of them or none. A rate of the same pair and time is replaced; one without a
    time holds from ``now``. Raises InvalidInput for a pair of one currency."""
    with database.write(dry_run=dry_run) as session:
        return [_store(session, rate, now) for rate in rates]


def list_rates(database: Database, settings: Settings, *, at: datetime) -> list[RateView]:
    """The newest of each pair at ``at``, stored and configured, by pair."""
    with database.read() as session:
        views = [_view(row, settings, at) for row in repository.newest_rates(session, at)]
    for pair, value in settings.currency_rates.items():
        base, _, quote = pair.partition("_")
        views.append(RateView(base, quote, value, None, CONFIGURED))
    return sorted(views, key=lambda view: (view.base, view.quote, view.source == CONFIGURED))


def rate_history(
    database: Database, settings: Settings, base: str, quote: str, *, at: datetime
) -> list[RateView]:
    """Every stored rate of the pair, newest first, with its age at ``at``."""
    with database.read() as session:
        return [_view(row, settings, at) for row in repository.rate_rows(session, base, quote)]


def find_rates(
    database: Database, base: str, quote: str, effective_at: datetime | None
) -> Sequence[RateRow]:
    """The stored rates of the pair, or the one of that time. Raises NotFound."""
    with database.read() as session:
        rows = repository.rate_rows(session, base, quote)
    found = [row for row in rows if effective_at is None or row.effective_at == effective_at]
    if not found:
        since = f" of {iso(effective_at)}" if effective_at is not None else ""
        raise NotFound(
            f"there is no stored rate from {base} to {quote}{since}",
            hint=f"aimeter rates history {base} {quote}",
        )
    return found


def remove_rates(database: Database, rows: Sequence[RateRow], *, dry_run: bool = False) -> None:
    """Remove rates. What was priced with them keeps the rate that is pinned on its row."""
    with database.write(dry_run=dry_run) as session:
        for row in rows:
            stored = session.get(RateRow, row.id)
            if stored is not None:
                session.delete(stored)


def convert(
    database: Database, settings: Settings, amount: Decimal, base: str, quote: str, *, at: datetime
) -> Converted:
    """As an overage would be converted at ``at``. Raises NoRate; never 1:1."""
    with database.read() as session:
        conversion = Exchange(session, settings).conversion(base, quote, at)
    result = from_nanos(conversion.apply(to_nanos(amount)))
    return Converted(amount, base, result, quote, conversion.rate, conversion.via, at)


def _store(session: Session, rate: Rate, now: datetime) -> StoredRate:
    if rate.base == rate.quote:
        raise InvalidInput(f"{rate.base} to {rate.quote}: a rate needs two currencies")
    since = rate.effective_at or now
    row = repository.rate_at(session, rate.base, rate.quote, since)
    effect: Effect = "added"
    if row is None:
        row = RateRow(
            base=rate.base,
            quote=rate.quote,
            value=rate.value,
            source=rate.source,
            effective_at=since,
            created_at=now,
        )
    elif row.value == rate.value:
        effect = "unchanged"
    else:
        effect = "changed"
        row.value, row.source = rate.value, rate.source
    session.add(row)
    session.flush()
    return StoredRate(row.base, row.quote, row.value, since, row.source, effect)


def _view(row: RateRow, settings: Settings, at: datetime) -> RateView:
    age = at - row.effective_at
    too_old = age > settings.rate_max_age
    return RateView(row.base, row.quote, row.value, row.effective_at, row.source, age.days, too_old)
