"""Databases and files that the measurements begin with."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from aimeter_cli.db.engine import Database
from aimeter_cli.migrations.upgrade import upgrade
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.overages import Overage
from aimeter_cli.models.plans import Plan
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.models.usages import UsageCounter

START = datetime(2026, 10, 1, tzinfo=UTC)
END = datetime(2026, 11, 1, tzinfo=UTC)
PRICES = {
    "openai": {
        "gpt-4o-mini": {
            "input_per_1m": "0.15",
            "cached_input_per_1m": "0.075",
            "output_per_1m": "0.60",
        },
        "gpt-4o": {"input_per_1m": "2.50", "cached_input_per_1m": "1.25", "output_per_1m": "10"},
    },
    "anthropic": {
        "claude-sonnet-4": {
            "input_per_1m": "3.00",
            "cached_input_per_1m": "0.30",
            "output_per_1m": "15.00",
        }
    },
}


class Template:
    """A migrated database with a plan and subscribers; copied for each measurement."""

    def __init__(self, file: Path, *, subscribers: int, token_limit: int) -> None:
        self.file = file
        self.subscribers = subscribers
        file.unlink(missing_ok=True)
        database = Database(f"sqlite:///{file}")
        upgrade(database)
        add_people(database, subscribers, token_limit)
        _finish(database)

    def copy(self, to: Path) -> Path:
        """A copy, without what an earlier one left behind."""
        for old in (to, to.with_name(f"{to.name}-wal"), to.with_name(f"{to.name}-shm")):
            old.unlink(missing_ok=True)
        return Path(shutil.copy(self.file, to))


def add_people(database: Database, count: int, token_limit: int) -> None:
    """One plan, and so many billables on it, each with a counter of the month."""
    terms: dict[str, Any] = {
        "currency": "usd", "token_limit": token_limit, "overage_behavior": "charge",
        "overage_price_per_1k_tokens": Decimal("0.02"),
    }  # fmt: skip
    made: dict[str, Any] = {"created_at": START, "updated_at": START}
    with database.write() as session:
        session.add(Plan(id=1, slug="pro", name="Pro", **terms, **made))
        session.flush()
        for n in range(1, count + 1):
            session.add(Billable(id=n, type="user", external_id=str(n), created_at=START))
            session.flush()
            session.add(
                Subscription(
                    id=n, billable_id=n, plan_id=1, started_at=START, period_anchor=START, **made
                )
            )
            session.add(
                UsageCounter(
                    id=n, billable_id=n, plan_id=1, period_start=START, period_end=END,
                    overage_markup=Decimal(1), **terms,
                )
            )  # fmt: skip


def add_overages(
    file: Path, *, subscribers: int, each: int, customers: Sequence[str] | None = None
) -> None:
    """So many frozen overages for each subscriber, who pays as one of ``customers``."""
    database = Database(f"sqlite:///{file}")
    with database.write() as session:
        session.add_all(
            Overage(
                billable_id=person, subscription_id=person, counter_id=person, period_start=START,
                period_end=END, status="frozen", tokens=1000 * turn, currency="usd",
                amount=Decimal("0.0234") * turn + person, created_at=START, updated_at=START,
            )
            for turn in range(1, each + 1)
            for person in range(1, subscribers + 1)
        )  # fmt: skip
        for person, customer in enumerate(customers or (), start=1):
            billable = session.get_one(Billable, person)
            billable.stripe_customer_id = customer
            session.add(billable)
    _finish(database)


def write_usage(file: Path, *, lines: int, subscribers: int, has_keys: bool = True) -> None:
    """Calls of a month in the order of their time, none with a cost."""
    dice = random.Random(7)
    models = [(provider, model) for provider, found in PRICES.items() for model in found]
    step = (END - START).total_seconds() / lines
    with file.open("w", encoding="utf-8") as out:
        for number in range(lines):
            provider, model = dice.choice(models)
            call: dict[str, Any] = {
                "billable": f"user:{dice.randint(1, subscribers)}",
                "provider": provider,
                "model": model,
                "feature": dice.choice(("chat", "search", "summary")),
                "input_tokens": dice.randint(50, 4000),
                "cached_input_tokens": dice.choice((0, 0, 500)),
                "output_tokens": dice.randint(1, 1200),
                "idempotency_key": f"req-{number:09d}-{dice.getrandbits(32):08x}",
                "occurred_at": (START + timedelta(seconds=number * step)).isoformat(
                    timespec="milliseconds"
                ),
            }
            if not has_keys:
                del call["idempotency_key"]
            out.write(json.dumps(call) + "\n")


def _finish(database: Database) -> None:
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.dispose()
