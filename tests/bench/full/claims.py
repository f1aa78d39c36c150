"""A claim of 50 overages among a million, of which 1 % is due: 5 ms at the most."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import ParamSpec, TypeVar

from sqlalchemy import func
from sqlmodel import select

from aimeter_cli.billing.base import Reply
from aimeter_cli.db.engine import Database
from aimeter_cli.domain.periods import Period
from aimeter_cli.domain.sync import Answer
from aimeter_cli.migrations.upgrade import upgrade
from aimeter_cli.models.overages import Overage
from aimeter_cli.repositories.installation import installation
from aimeter_cli.repositories.sendable import ItemKey, oldest_sendable
from aimeter_cli.services.sync.claim import claim_fresh
from aimeter_cli.services.sync.claimed import Claim, Context
from aimeter_cli.services.sync.settle import settle_done
from aimeter_cli.settings.table import Settings
from tests.bench.full import postgresql, worlds
from tests.bench.full.figures import Figure

GOAL_MS = 5
_WARM_UP = 3
"""Rounds that are not counted."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Shape:
    """Everybody has ``each`` synced overages in every past month. Then come the due ones.

    They come in rounds of twice ``batch``: first all of one billable, then one each of others.
    """

    billables: int = 22_000
    months: int = 9
    each: int = 5
    batch: int = 50
    rounds: int = 100

    @property
    def due(self) -> int:
        return 2 * self.batch * self.rounds

    @property
    def overages(self) -> int:
        return self.billables * self.months * self.each + self.due

    @property
    def month(self) -> Period:
        """The one that is running."""
        return month(self.months)


@dataclass(slots=True)
class Timings:
    """Milliseconds, one for each repetition. ``single`` ones are claims of one overage each."""

    select_one: list[float] = field(default_factory=list)
    claim_one: list[float] = field(default_factory=list)
    settle_one: list[float] = field(default_factory=list)
    select_many: list[float] = field(default_factory=list)
    claim_many: list[float] = field(default_factory=list)
    single: list[float] = field(default_factory=list)


def on_sqlite(folder: Path) -> list[Figure]:
    database = Database(f"sqlite:///{folder / 'claims.db'}")
    try:
        return measured("SQLite", database, Shape())
    finally:
        database.dispose()


def on_postgresql(folder: Path) -> list[Figure]:
    with postgresql.server() as url:
        database = Database(url)
        try:
            return measured("PostgreSQL", database, Shape())
        finally:
            database.dispose()


def measured(name: str, database: Database, shape: Shape) -> list[Figure]:
    upgrade(database)
    load(database, shape)
    return figures(name, shape, measure(database, shape))


def load(database: Database, shape: Shape) -> None:
    """A migrated, empty database becomes one with a past. Raises RuntimeError if it does not."""
    with database.write() as session:
        worlds.add_people(session, [f"cus_{n}" for n in range(1, shape.billables + 1)])
        past = [month(number) for number in range(shape.months)]
        worlds.close_periods(session, past, each=shape.each)
        worlds.begin_period(session, shape.month)
        worlds.add_due(session, shape.month, _owners(shape))
    worlds.tidy(database)
    with database.read() as session:
        count = session.exec(select(func.count()).select_from(Overage)).one()
    if count != shape.overages:
        raise RuntimeError(f"{count} overages, not {shape.overages}")


def measure(database: Database, shape: Shape) -> Timings:
    """Claim everything that is due, in real transactions, as a run does; settle it in between."""
    with database.read() as session:
        here = installation(session)
    context = Context(database, Settings(), here.install_id, "bench", shape.month.end)
    found = Timings()
    for _ in range(shape.rounds):
        groups, spent = _clocked(_oldest, database, shape.batch)
        found.select_one.append(spent)
        [(key, ids)] = groups.items()
        claim, spent = _clocked(_claim, context, key, ids, shape.batch)
        found.claim_one.append(spent)
        found.settle_one.append(_clocked(_settle, context, claim)[1])
        groups, spent = _clocked(_oldest, database, shape.batch)
        found.select_many.append(spent)
        claims = [_clocked(_claim, context, *group, 1) for group in groups.items()]
        found.single += [spent for _, spent in claims]
        found.claim_many.append(sum(spent for _, spent in claims))
        for claim, _ in claims:
            _settle(context, claim)
    return found


def figures(name: str, shape: Shape, found: Timings) -> list[Figure]:
    """Medians. What is told without a goal explains the others."""
    skipped = min(_WARM_UP, shape.rounds - 1)
    one = [a + b for a, b in zip(found.select_one, found.claim_one, strict=True)][skipped:]
    many = [a + b for a, b in zip(found.select_many, found.claim_many, strict=True)][skipped:]
    single = found.single[skipped * shape.batch :]
    told = f"p50 of {len(one)}, committed"
    many_of = f"{name}: claim of {shape.batch} items"
    return [
        Figure(
            f"{name}: claim of {shape.batch} on one item", _p50(one), "ms", GOAL_MS,
            f"of {shape.overages:,} overages, {shape.due:,} due; select and claim, {told}",
        ),
        Figure(
            f"{name}: select of the oldest {shape.batch}", _p50(found.select_one[skipped:]), "ms",
            GOAL_MS, "its part of that",
        ),
        Figure(
            f"{many_of}, each", _p50(single), "ms", GOAL_MS,
            f"one overage on each, a transaction each; p50 of {len(single):,}, committed",
        ),
        Figure(f"{many_of}, all", _p50(many), "ms", None, f"select and claims, {told}"),
        Figure(
            f"{name}: settlement of {shape.batch} on one item", _p50(found.settle_one[skipped:]),
            "ms", None, told,
        ),
    ]  # fmt: skip


def _oldest(database: Database, limit: int) -> dict[ItemKey, list[int]]:
    with database.read() as session:
        return oldest_sendable(session, limit)


def _claim(context: Context, key: ItemKey, ids: list[int], expected: int) -> Claim:
    claim = claim_fresh(context, key, ids)
    if not isinstance(claim, Claim) or len(claim.overage_ids) != expected:
        raise RuntimeError(f"{len(ids)} overages of {key}: claimed {claim}, not {expected}")
    return claim


def _settle(context: Context, claim: Claim) -> None:
    reply = Reply(Answer.DONE, f"ii_{claim.item_id}", claim.target_minor)
    if settle_done(context, claim, reply) != "synced":
        raise RuntimeError(f"item {claim.item_id} was not settled")


def _clocked(action: Callable[_P, _T], *args: _P.args, **options: _P.kwargs) -> tuple[_T, float]:
    """What it returns, and the milliseconds that it takes."""
    started = time.perf_counter()
    result = action(*args, **options)
    return result, (time.perf_counter() - started) * 1000


def _p50(values: list[float]) -> float:
    return round(median(values), 3)


def _owners(shape: Shape) -> list[int]:
    """Billables by number: the first are the rounds' own, the others have one overage each."""
    owners: list[int] = []
    for turn in range(shape.rounds):
        owners += [turn + 1] * shape.batch
        first = shape.rounds + turn * shape.batch + 1
        owners += range(first, first + shape.batch)
    return owners


def month(number: int) -> Period:
    """So many months after the first."""
    ends = [
        datetime(worlds.BEGIN.year + n // 12, n % 12 + 1, 1, tzinfo=worlds.BEGIN.tzinfo)
        for n in (number, number + 1)
    ]
    return Period(*ends)
