"""Conversion rates: stored, confirmed, listed, removed, and tried out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.money import from_nanos, to_nanos
from aimeter_cli.domain.periods import iso
from aimeter_cli.domain.rates import Rate, moves_too_far, with_base
from aimeter_cli.errors import NotFound
from aimeter_cli.models.rates import HeldRate, RateRow
from aimeter_cli.repositories import rates as repository
from aimeter_cli.services.exchange import CONFIGURED, Exchange
from aimeter_cli.services.rate_storing import StoredRate, store
from aimeter_cli.settings.table import Settings

Status = Literal["current", "past", "future", "too_old", "held", "configured"]


@dataclass(frozen=True, slots=True)
class RateView:
    """A rate at a moment.

    ``age_days`` is None for those of the configuration, which have none. ``held_id`` and
    ``previous``, the rate that was in force, are those of a held one.
    """

    base: str
    quote: str
    value: Decimal
    effective_at: datetime | None
    source: str
    status: Status
    age_days: int | None = None
    is_too_old: bool = False
    held_id: int | None = None
    previous: Decimal | None = None


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
    """Store an operator's rates, all or none, however far they move."""
    with database.write(dry_run=dry_run) as session:
        return store(session, rates, now=now)


def moves_far(rate: StoredRate, settings: Settings) -> bool:
    """Whether the rate is one that ``update_rates`` would have held."""
    last = rate.previous
    return last is not None and moves_too_far(Fraction(last), rate.value, settings.rate_max_move)


def update_rates(
    database: Database,
    settings: Settings,
    rates: Iterable[Rate],
    *,
    now: datetime,
    confirm: bool = False,
    dry_run: bool = False,
) -> list[StoredRate]:
    """Store what was published, all or none, with the rates of the base currency that follow.

    What moves more than ``rate_max_move`` is held, unless ``confirm``. The same again changes
    nothing.
    """
    most = Decimal(0) if confirm else settings.rate_max_move
    with database.write(dry_run=dry_run) as session:
        return store(session, with_base(rates, settings.currency), now=now, most=most)


def confirm_rates(
    database: Database,
    settings: Settings,
    ids: Iterable[int],
    *,
    now: datetime,
    dry_run: bool = False,
) -> list[StoredRate]:
    """Put held rates in force, and those of their pairs that do not move too far any more.

    Raises NotFound; nothing is changed then.
    """
    with database.write(dry_run=dry_run) as session:
        held = {row.id: row for row in repository.held_rates(session)}
        wanted = set(ids)
        missing = sorted(wanted - held.keys())
        if missing:
            raise NotFound(f"there is no held rate {missing[0]}", hint="aimeter rates list")
        keys = {(held[i].base, held[i].quote, held[i].effective_at) for i in wanted}
        pairs = {key[:2] for key in keys}
        rates = [
            Rate(row.base, row.quote, row.value, row.effective_at, row.source)
            for row in held.values()
            if (row.base, row.quote) in pairs
        ]
        return store(session, rates, now=now, most=settings.rate_max_move, confirmed=keys)


def list_rates(database: Database, settings: Settings, *, at: datetime) -> list[RateView]:
    """The newest of each pair at ``at``, stored and configured, and what is held, by pair."""
    with database.read() as session:
        views = [
            _view(rate, rate.effective_at, settings, at)
            for rate in repository.newest_rates(session, at)
            if rate.effective_at is not None
        ]
        held = repository.held_rates(session)
        views += [_held_view(row, at) for row in held if row.effective_at <= at]
    for pair, value in settings.currency_rates.items():
        base, _, quote = pair.partition("_")
        views.append(RateView(base, quote, value, None, CONFIGURED, "configured"))
    order = ("current", "too_old", "held", "configured")
    return sorted(views, key=lambda view: (view.base, view.quote, order.index(view.status)))


def rate_history(
    database: Database,
    settings: Settings,
    base: str,
    quote: str,
    *,
    at: datetime,
    since: datetime | None = None,
) -> list[RateView]:
    """Every rate of the two currencies, in the direction in which it is stored, newest first, with
    its age at ``at``; held ones among them."""
    pairs = ((base, quote), (quote, base))
    views: list[RateView] = []
    with database.read() as session:
        newest = {rate: repository.rate_span(session, *rate, at).start for rate in pairs}
        for row in repository.rate_rows(session, pairs, since=since):
            is_newest = row.effective_at == newest[row.base, row.quote]
            views.append(_view(row, row.effective_at, settings, at, is_newest=is_newest))
        views += [
            _held_view(row, at)
            for row in repository.held_rates(session, pairs)
            if since is None or row.effective_at >= since
        ]
    views.sort(key=lambda view: (view.effective_at or at, view.base, view.held_id or 0))
    return views[::-1]


def find_rates(
    database: Database,
    base: str,
    quote: str,
    effective_at: datetime | None,
    *,
    only_held: bool = False,
) -> Sequence[RateRow | HeldRate]:
    """The rates of exactly the pair, stored and held, or those of that time. Raises NotFound."""
    pair = [(base, quote)]
    with database.read() as session:
        rows: list[RateRow | HeldRate] = [*repository.held_rates(session, pair)]
        if not only_held:
            rows += repository.rate_rows(session, pair)
    found = [row for row in rows if effective_at is None or row.effective_at == effective_at]
    if not found:
        since = f" of {iso(effective_at)}" if effective_at is not None else ""
        raise NotFound(
            f"there is no {'held' if only_held else 'stored'} rate from {base} to {quote}{since}",
            hint=f"aimeter rates history {base} {quote}",
        )
    return found


def remove_rates(
    database: Database, rows: Sequence[RateRow | HeldRate], *, dry_run: bool = False
) -> None:
    """Remove rates. What was priced with them keeps the rate that is pinned on its row."""
    with database.write(dry_run=dry_run) as session:
        for row in rows:
            stored = session.get(type(row), row.id)
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


def _view(
    rate: Rate | RateRow,
    since: datetime,
    settings: Settings,
    at: datetime,
    *,
    is_newest: bool = True,
) -> RateView:
    too_old = at - since > settings.rate_max_age
    status: Status = "too_old" if too_old else "current"
    if not is_newest:
        status = "future" if since > at else "past"
    return RateView(
        rate.base, rate.quote, rate.value, since, rate.source, status, (at - since).days, too_old
    )


def _held_view(row: HeldRate, at: datetime) -> RateView:
    since = row.effective_at
    return RateView(
        row.base, row.quote, row.value, since, row.source, "held", (at - since).days,
        held_id=row.id, previous=row.previous,
    )  # fmt: skip
