"""10,000 overages of 500 billables: as fast as the rate limit allows, on a fifth of a core."""

from __future__ import annotations

import resource
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.periods import Period
from aimeter_cli.migrations.upgrade import upgrade
from aimeter_cli.sandbox.client import SandboxControl
from aimeter_cli.sandbox.process import running
from aimeter_cli.settings.table import Settings
from tests.bench.full import worlds
from tests.bench.full.figures import Figure
from tests.bench.programs import AIMETER, seconds

_KEY = "sk_test_bench"
_MOST_SECONDS = 550
"""Then the command stops by itself, so that a part ends within ten minutes on any machine."""


@dataclass(frozen=True, slots=True)
class Load:
    """Each of ``billables`` has ``each`` overages in each of ``days`` service periods of a day.

    Those of one period are one item, so that billables × days requests are the least.
    """

    billables: int
    days: int
    each: int
    allowed: float = 25
    latency_ms: float = 100

    @property
    def overages(self) -> int:
        return self.billables * self.days * self.each

    @property
    def items(self) -> int:
        return self.billables * self.days


@dataclass(frozen=True, slots=True)
class Spent:
    """One run: seconds, of the clock and of the processor; what Stripe answered; items there."""

    wall: float
    cpu: float
    statuses: Sequence[int | None]
    items: int


def few_items(folder: Path) -> list[Figure]:
    load = Load(billables=500, days=1, each=20)
    return figures(load, run(folder, load))


def many_items(folder: Path) -> list[Figure]:
    load = Load(billables=500, days=20, each=1)
    return figures(load, run(folder, load))


def run(folder: Path, load: Load) -> Spent:
    """``sync-stripe-overages`` as a process. Raises RuntimeError if it fails."""
    with running() as control:
        sandbox = SandboxControl(control.url, timeout=120)
        file = _database(folder, load, _customers(sandbox, load))
        sandbox.set(rate_limit=load.allowed, latency_ms=load.latency_ms)
        before = max(entry["seq"] for entry in sandbox.ledger())
        env = {
            "AI_METERING_DATABASE_URL": f"sqlite:///{file}",
            "AI_METERING_BILLING_DRIVER": "stripe",
            "STRIPE_API_KEY": _KEY,
            "STRIPE_API_BASE": sandbox.url,
        }
        line = [AIMETER, "sync-stripe-overages", "--limit", str(load.overages)]
        line += ["--as-of", "2026-10-31", "--max-seconds", str(_MOST_SECONDS)]
        started = _cpu()
        wall = seconds(line, folder, env, timeout=_MOST_SECONDS + 40)
        cpu = _cpu() - started
        statuses = [entry["status"] for entry in sandbox.ledger(before)]
        items = len(sandbox.items())
    return Spent(wall, cpu, statuses, items)


def figures(load: Load, spent: Spent) -> list[Figure]:
    """The time to that which the limit allows; the share of a core; the refusals."""
    requests = len(spent.statuses)
    per_second = Settings().stripe_requests_per_second
    alone = requests / per_second
    name = f"sync of {load.items:,} items"
    return [
        Figure(
            f"{name}: rate limit alone", round(spent.wall / alone, 3), "", 1.1,
            f"{load.overages:,} overages of {load.billables} billables; {spent.items:,} items, "
            f"{requests:,} requests at {per_second}/s, {spent.wall:.1f} s",
        ),
        Figure(
            f"{name}: share of a core", round(100 * spent.cpu / spent.wall, 1), "%", 20,
            f"{spent.cpu:.1f} s, {1000 * spent.cpu / requests:.1f} ms for each request, "
            "start-up included",
        ),
        Figure(
            f"{name}: refusals (429)", spent.statuses.count(429), "", 0,
            f"{load.allowed:g}/s allowed, {load.latency_ms:g} ms of latency",
        ),
    ]  # fmt: skip


_DAY = timedelta(days=1)
_FIRST = datetime(2026, 10, 1, tzinfo=UTC)


def _database(folder: Path, load: Load, customers: Sequence[str]) -> Path:
    file = folder / "limit.db"
    database = Database(f"sqlite:///{file}")
    upgrade(database)
    everybody = range(1, load.billables + 1)
    with database.write() as session:
        worlds.add_people(session, customers, at_stripe=False)
        for number in range(load.days):
            period = Period(_FIRST + number * _DAY, _FIRST + (number + 1) * _DAY)
            worlds.begin_period(session, period)
            worlds.add_due(session, period, [*everybody] * load.each)
    worlds.tidy(database)
    database.dispose()
    return file


def _customers(sandbox: SandboxControl, load: Load) -> list[str]:
    import requests

    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {_KEY}"
        made: list[Any] = [
            session.post(f"{sandbox.url}/v1/customers").json() for _ in range(load.billables)
        ]
    return [str(customer["id"]) for customer in made]


def _cpu() -> float:
    """Seconds of the processor that finished child processes have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
