"""A database as the Laravel package makes it: its published columns, in DDL of our own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

KINDS = {
    "sqlite": {
        "id": "integer primary key autoincrement", "n": "integer", "string": "varchar",
        "money": "numeric", "json": "text", "time": "datetime", "flag": "tinyint(1)",
    },
    "postgresql": {
        "id": "bigserial primary key", "n": "bigint", "string": "varchar(255)",
        "money": "decimal(12, 6)", "json": "json", "time": "timestamp(0) without time zone",
        "flag": "boolean",
    },
}  # fmt: skip
WHO = {"billable_type": "string", "billable_id": "n"}
STAMPS = {"created_at": "time", "updated_at": "time"}
SCHEMA = {
    "ai_plans": {
        "name": "string", "slug": "string", "monthly_token_limit": "n",
        "monthly_cost_limit": "money", "overage_price_per_1k_tokens": "money", "features": "json",
        "is_active": "flag", "trial_days": "n", **STAMPS, "deleted_at": "time",
    },
    "ai_subscriptions": {
        **WHO, "ai_plan_id": "n", "billing_mode": "string", "renews_at": "time",
        "started_at": "time", "ends_at": "time", "trial_ends_at": "time",
        "grace_period_ends_at": "time", "previous_plan_id": "n", "meta": "json", **STAMPS,
        "deleted_at": "time",
    },
    "ai_usages": {
        **WHO, "user_id": "n", "tenant_id": "string", "provider": "string", "model": "string",
        "feature": "string", "input_tokens": "n", "output_tokens": "n", "total_tokens": "n",
        "input_cost": "money", "output_cost": "money", "total_cost": "money",
        "currency": "string", "meta": "json", "idempotency_key": "string", "occurred_at": "time",
        **STAMPS,
    },
    "ai_credit_wallets": {
        **WHO, "balance": "money", "currency": "string", "meta": "json", **STAMPS,
    },
    "ai_credit_transactions": {
        "wallet_id": "n", "amount": "money", "direction": "string", "reason": "string",
        "meta": "json", "created_at": "time",
    },
    "ai_usage_limit_overrides": {
        **WHO, "period_start": "time", "period_end": "time", "token_limit": "n",
        "cost_limit": "money", **STAMPS,
    },
    "ai_overages": {
        **WHO, "ai_usage_id": "n", "period_start": "time", "period_end": "time", "tokens": "n",
        "cost": "money", "currency": "string", "stripe_invoice_item_id": "string",
        "synced_at": "time", **STAMPS,
    },
}  # fmt: skip
USER = "App\\Models\\User"
DEFAULTS: dict[str, dict[str, Any]] = {
    "ai_plans": {"name": "Pro", "slug": "pro", "is_active": True},
    "ai_subscriptions": {
        "ai_plan_id": 1, "billing_mode": "plan", "started_at": "2026-09-01 00:00:00",
    },
    "ai_usages": {
        "provider": "openai", "model": "gpt-4o-mini", "total_cost": "0", "currency": "usd",
        "occurred_at": "2026-11-10 10:00:00",
    },
    "ai_credit_wallets": {"balance": "0", "currency": "usd"},
    "ai_credit_transactions": {
        "wallet_id": 1, "direction": "credit", "reason": "top-up",
        "created_at": "2026-11-01 00:00:00",
    },
    "ai_usage_limit_overrides": {},
    "ai_overages": {
        "period_start": "2026-11-01 00:00:00", "period_end": "2026-12-01 00:00:00", "tokens": 0,
        "currency": "usd",
    },
}  # fmt: skip


class Shop:
    """``shop.add("ai_usages", total_cost="0.10")``: of ``App\\Models\\User`` 1, if not told."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine = create_engine(url, poolclass=NullPool)
        kinds = KINDS[self._engine.dialect.name]
        for name, columns in SCHEMA.items():
            listed = ", ".join(f"{each} {kinds[kind]} null" for each, kind in columns.items())
            self.execute(f"CREATE TABLE {name} (id {kinds['id']}, {listed})")

    def add(self, table: str, **values: Any) -> None:
        if "billable_type" in SCHEMA[table]:
            values = {"billable_type": USER, "billable_id": 1} | values
        values = DEFAULTS[table] | values
        names, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
        self.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", **values)

    def execute(self, statement: str, **values: Any) -> None:
        with self.connected() as connection:
            connection.execute(text(statement), values)

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        with self._engine.begin() as connection:
            yield connection


def furnished(shop: Shop) -> Shop:
    """Two customers: one on a plan, beyond its limit in two periods; one on credits."""
    shop.add(
        "ai_plans", monthly_token_limit=1000, overage_price_per_1k_tokens="0.010000",
        features='["chat", "search"]', trial_days=0,
    )  # fmt: skip
    shop.add("ai_plans", name="Credits", slug="credits")
    shop.add(
        "ai_subscriptions",
        meta='{"stripe_subscription_id": "sub_1", "stripe_customer_id": "cus_1", "note": "vip"}',
    )
    shop.add("ai_subscriptions", billable_id=2, ai_plan_id=2, billing_mode="credits")
    for month, tokens, cost in (("10", 900, "0.29"), ("10", 300, "0.100001"), ("11", 950, "0.30"),
                                ("11", 150, "0.07")):  # fmt: skip
        shop.add(
            "ai_usages", occurred_at=f"2026-{month}-10 10:00:00", input_tokens=tokens - 100,
            output_tokens=100, total_tokens=tokens, total_cost=cost, meta="[]",
        )  # fmt: skip
    shop.add("ai_usages", billable_id=2, total_tokens=500, total_cost="0.50")
    shop.add(
        "ai_overages", period_start="2026-10-01 00:00:00", period_end="2026-11-01 00:00:00",
        tokens=300, cost="0.100001", stripe_invoice_item_id="ii_1",
        synced_at="2026-10-11 00:00:00",
    )  # fmt: skip
    shop.add("ai_overages", tokens=150, cost="0.07")
    shop.add("ai_credit_wallets", billable_id=2, balance="9.5")
    shop.add("ai_credit_transactions", amount="10")
    shop.add("ai_credit_transactions", amount="0.5", direction="debit", reason="usage")
    return shop
