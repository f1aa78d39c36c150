"""Rates on their way into the database: added, changed, or held because they move too far."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from typing import Literal

from sqlmodel import Session

from aimeter_cli.domain.rates import Conversion, Rate, moves_too_far
from aimeter_cli.errors import InvalidInput
from aimeter_cli.models.rates import HeldRate, RateRow
from aimeter_cli.repositories import rates as repository

Effect = Literal["added", "changed", "unchanged", "held"]
Key = tuple[str, str, datetime]
"""Base, quote and since when: one rate at the most is in force of it, and one is held."""


@dataclass(frozen=True, slots=True)
class StoredRate:
    """A rate that was given, and what that did. ``previous``: the one that was in force at its
    time; ``held_id``: of one that is held."""

    base: str
    quote: str
    value: Decimal
    effective_at: datetime
    source: str
    effect: Effect
    previous: Decimal | None = None
    held_id: int | None = None


def store(
    session: Session,
    rates: Iterable[Rate],
    *,
    now: datetime,
    most: Decimal = Decimal(0),
    confirmed: Collection[Key] = (),
) -> list[StoredRate]:
    """Store all of them, by pair and time. One of the same pair and time is replaced, one without
    a time holds from ``now``.

    One that moves more than ``most`` per cent (0: none does) against the rate that is in force at
    its time is held, unless it is ``confirmed``. Raises InvalidInput for a pair of one currency.
    """
    repository.lock_rates(session)
    dated = [replace(rate, effective_at=rate.effective_at or now) for rate in rates]
    done: list[StoredRate] = []
    for pair, given in groupby(sorted(dated, key=_key), key=lambda rate: (rate.base, rate.quote)):
        if pair[0] == pair[1]:
            raise InvalidInput(f"{pair[0]} to {pair[1]}: a rate needs two currencies")
        done += _Line(session, pair, list(given), now).store(most, confirmed)
    return done


def _key(rate: Rate) -> Key:
    assert rate.effective_at is not None  # noqa: S101  # it has been given one
    return rate.base, rate.quote, rate.effective_at


class _Line:
    """The rates of one pair over the time of those that are given, in either direction."""

    def __init__(
        self, session: Session, pair: repository.Pair, given: Sequence[Rate], now: datetime
    ) -> None:
        self._session = session
        self._given = given
        self._now = now
        first, last = _key(given[0])[2], _key(given[-1])[2]
        inverse = repository.rates_around(session, (pair[1], pair[0]), first, last)
        rows = repository.rates_around(session, pair, first, last)
        self._values = {row.effective_at: 1 / Fraction(row.value) for row in inverse}
        self._values |= {row.effective_at: Fraction(row.value) for row in rows}
        self._times = sorted(self._values)
        self._rows = {row.effective_at: row for row in rows}
        self._held = {row.effective_at: row for row in repository.held_rates(session, [pair])}

    def store(self, most: Decimal, confirmed: Collection[Key]) -> list[StoredRate]:
        done = []
        for rate in self._given:
            key = _key(rate)
            last = self._last(key[2])
            if last is None or key in confirmed or not moves_too_far(last, rate.value, most):
                effect = self._place(rate, key[2])
            else:
                effect = self._hold(rate, key[2], _decimal(last))
            done.append((rate, key[2], effect, last))
        self._session.flush()
        return [
            StoredRate(
                rate.base, rate.quote, rate.value, since, rate.source, effect,
                None if last is None else _decimal(last),
                self._held[since].id if effect == "held" else None,
            )
            for rate, since, effect, last in done
        ]  # fmt: skip

    def _last(self, since: datetime) -> Fraction | None:
        """The value in force at that time, before the given one."""
        position = bisect_right(self._times, since)
        return self._values[self._times[position - 1]] if position else None

    def _place(self, rate: Rate, since: datetime) -> Effect:
        held = self._held.pop(since, None)
        if held is not None:
            self._session.delete(held)
        row = self._rows.get(since)
        if row is not None and row.value == rate.value:
            return "unchanged"
        if since not in self._values:
            insort(self._times, since)
        self._values[since] = Fraction(rate.value)
        if row is not None:
            row.value, row.source = rate.value, rate.source
            self._session.add(row)
            return "changed"
        self._rows[since] = RateRow(
            base=rate.base, quote=rate.quote, value=rate.value, source=rate.source,
            effective_at=since, created_at=self._now,
        )  # fmt: skip
        self._session.add(self._rows[since])
        return "added"

    def _hold(self, rate: Rate, since: datetime, previous: Decimal) -> Effect:
        held = self._held.get(since)
        if held is None:
            held = self._held[since] = HeldRate(
                base=rate.base, quote=rate.quote, value=rate.value, source=rate.source,
                previous=previous, effective_at=since, created_at=self._now,
            )  # fmt: skip
        held.value, held.source, held.previous = rate.value, rate.source, previous
        self._session.add(held)
        return "held"


def _decimal(value: Fraction) -> Decimal:
    return Conversion(value, "").rate.normalize()
