"""A quota check at ten million usages: what it costs at ten thousand."""

from __future__ import annotations

import random
import time
from datetime import timedelta
from pathlib import Path
from statistics import median

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.migrations.upgrade import upgrade
from aimeter_cli.services.quota.check import check_quota
from aimeter_cli.settings.table import Settings
from tests.bench.figures import alternate, paired
from tests.bench.full import postgresql, worlds
from tests.bench.full.claims import month
from tests.bench.full.figures import Figure

FEW, MANY = 10_000, 10_000_000
_BILLABLES = 500
_MONTHS = 20
_CHECKS = 500
_COUNTERS = _BILLABLES * _MONTHS


def on_sqlite(folder: Path) -> list[Figure]:
    few, many = (Database(f"sqlite:///{folder / name}.db") for name in ("few", "many"))
    try:
        return _measured("SQLite", few, many)
    finally:
        few.dispose()
        many.dispose()


def on_postgresql(folder: Path) -> list[Figure]:
    with postgresql.server() as small, postgresql.server() as large:
        few, many = Database(small), Database(large)
        try:
            return _measured("PostgreSQL", few, many)
        finally:
            few.dispose()
            many.dispose()


def _measured(name: str, few: Database, many: Database) -> list[Figure]:
    for database, usages in ((few, FEW), (many, MANY)):
        upgrade(database)
        load(database, each=usages // _COUNTERS)
    return [figure(name, few, many)]


def load(
    database: Database, *, each: int, billables: int = _BILLABLES, months: int = _MONTHS
) -> None:
    """Everybody has ``each`` usages in each month: a migrated, empty database becomes so."""
    with database.write() as session:
        worlds.add_people(session, [f"cus_{n}" for n in range(1, billables + 1)])
        for number in range(months):
            worlds.begin_period(session, month(number))
    for number in range(months):
        with database.write() as session:
            worlds.add_usages(session, month(number), each=each)
    worlds.tidy(database)


def figure(
    name: str, few: Database, many: Database, *, billables: int = _BILLABLES,
    months: int = _MONTHS, checks: int = _CHECKS, pairs: int = 15,
) -> Figure:  # fmt: skip
    """The ratio of the checks' medians, measured in turn, of billables at random."""
    dice, settings = random.Random(7), Settings()
    now = month(months - 1).start + timedelta(days=10)

    def p50(database: Database) -> float:
        spent = []
        for _ in range(checks):
            payer = BillableRef("user", str(dice.randint(1, billables)))
            began = time.perf_counter()
            check = check_quota(database, settings, payer, now=now)
            spent.append(time.perf_counter() - began)
            if not check.limits or not check.limits[0].used:
                raise RuntimeError(f"{payer} has used nothing")
        return median(spent) * 1000

    larger, smaller = alternate(lambda: p50(many), lambda: p50(few), pairs)
    ratio = paired("", larger, smaller, unit="ms", goal=1.2, better="less")
    return Figure(
        f"{name}: quota check at {MANY:,} usages : at {FEW:,}", ratio.value, "", ratio.goal,
        f"{ratio.ours:.3f} to {ratio.bare:.3f} ms, p50 of {checks} checks, {pairs} pairs; "
        f"{billables} billables, {months} months",
    )  # fmt: skip
