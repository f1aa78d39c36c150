"""Databases to make pages of: an empty one, a busy and hostile one, a large one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

from sqlalchemy import insert

from aimeter_cli.db.engine import Database
from aimeter_cli.migrations.upgrade import upgrade
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.job_runs import JobRun
from aimeter_cli.models.overages import Overage
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.models.usages import Usage, UsageCounter
from aimeter_cli.sandbox.client import SandboxControl
from tests.support.world import START, World, sandbox_settings

CUSTOMERS = 10_000
DAYS = 400
HOSTILE = (
    "</span></td></table></style></title><script>hacked=1;document.title='hacked'</script>"
    "<img src=https://example.invalid/x.png onerror='hacked=1'><iframe src=//example.invalid>"
    "<a href='javascript:hacked=1'>\"'&\u202e\x1b]8;;https://example.invalid\x07"
)
NAME = "</span></table><script>hacked=1</script><img src=//example.invalid onerror='hacked=1'>"
"""The same, as short as the name of a model has to be."""
LONG = "meta-llama/" + "Llama-4-Maverick-17B-128E-Instruct-FP8-" * 4


def empty(file: Path) -> None:
    _world(file)


def busy(file: Path) -> None:
    """Fourteen customers, a month, two currencies; names from outside want to be markup."""
    world = _world(file)
    plans = [
        world.plan(token_limit=5000),
        world.plan("euro", currency="eur", overage_price_per_1k_tokens=Decimal("0.03")),
    ]
    for number in range(14):
        customer = f"cus_{number}" if number != 3 else None
        world.subscriber(f"team:{number}", plan=plans[number % 4 == 0], customer=customer)
    models = [
        ("openai", "gpt-5-mini", "usd", "0.000002501"), ("openai", "gpt-5", "usd", "0.000015"),
        ("anthropic", "sonnet-5", "usd", "0.0000125"), ("mistral", "large", "eur", "0.00001"),
        ("self-hosted", LONG, "eur", "0.000000451"), (NAME, NAME, "usd", "0.00000077"),
    ]  # fmt: skip
    for number in range(180):
        provider, model, currency, price = models[number * 5 // 3 % 6]
        tokens = 700 + number * 7919 % 12_000
        world.now = START + timedelta(hours=4 * number)
        world.use(
            tokens, f"team:{number % 14}", provider=provider, model=model, currency=currency,
            cost=str(tokens * Decimal(price)),
        )  # fmt: skip
    _mark(world)


def large(file: Path) -> None:
    """Ten thousand customers with an overage each, and usage on four hundred days."""
    world = _world(file)
    plan = world.plan()
    first = START - timedelta(days=DAYS - 30)
    numbers = range(1, CUSTOMERS + 1)
    _insert(world, Billable, ({"type": "user", "external_id": str(n), "created_at": first}
                              for n in numbers))  # fmt: skip
    _insert(world, Subscription, (
        {"billable_id": n, "plan_id": plan, "started_at": first, "period_anchor": first,
         "created_at": first, "updated_at": first, "meta": {}} for n in numbers
    ))  # fmt: skip
    period = {"period_start": START, "period_end": datetime(2026, 12, 1, tzinfo=UTC)}
    _insert(world, UsageCounter, (
        {"billable_id": n, "plan_id": plan, **period, "currency": "usd",
         "overage_markup": Decimal(1), "overage_behavior": "charge"} for n in numbers
    ))  # fmt: skip
    _insert(world, Overage, (
        {"billable_id": n, "subscription_id": n, "counter_id": n, **period, "tokens": n,
         "amount": Decimal(n) / 100, "currency": "usd", "created_at": START, "updated_at": START}
        for n in numbers
    ))  # fmt: skip
    _insert(world, Usage, (
        {"idempotency_key": f"u{n}", "fingerprint": "", "billable_id": n % CUSTOMERS + 1,
         "provider": "openai", "model": f"model-{n % 80}", "input_tokens": 100 + n % 50,
         "cost": Decimal(n % 40) / 1000, "currency": "usd", "state": "priced",
         "occurred_at": first + timedelta(days=n % DAYS), "recorded_at": first} for n in range(8000)
    ))  # fmt: skip


def _world(file: Path) -> World:
    database = Database(f"sqlite:///{file}")
    upgrade(database)
    return World(database, cast(SandboxControl, None), sandbox_settings("http://127.0.0.1:9"))


def _mark(world: World) -> None:
    """Overages in every state, hostile names, a sync that ran, and one that is paused."""
    world.execute("UPDATE ai_overages SET status = 'held', reason = 'late_usage' WHERE id % 5 = 0")
    world.execute(
        "UPDATE ai_overages SET status = 'synced', external_item_id = 'ii_1QwErTy00000000' || id"
        " WHERE id % 2 = 0 AND status = 'open'"
    )
    world.execute(
        "UPDATE ai_overages SET status = 'failed', last_error = :text WHERE id % 7 = 0",
        text=HOSTILE,
    )
    world.execute("UPDATE ai_billables SET name = :text WHERE id % 3 = 0", text=HOSTILE)
    world.execute(
        "UPDATE ai_installation SET paused_at = :at, paused_reason = :text",
        at=world.now.strftime("%F %T.000000"), text=HOSTILE,
    )  # fmt: skip
    ran = datetime(2026, 11, 30, 11, 41, tzinfo=UTC)
    with world.database.write() as session:
        session.add(JobRun(id="r1", command="sync-stripe-overages", host="here", started_at=ran,
                           finished_at=ran, exit_code=3, counts="{}", error=HOSTILE))  # fmt: skip


def _insert(world: World, model: Any, rows: Iterable[dict[str, Any]]) -> None:
    """Many rows at once, with what the model gives a field that they leave out."""
    given = [model(**row).model_dump(exclude={"id"}) for row in rows]
    with world.database.write() as session:
        session.connection().execute(insert(table_of(model)), given)
