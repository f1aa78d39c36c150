"""The tables of the Laravel package, as its migrations publish them: facts, column by column."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SourceTable:
    """``required``: without them a row means nothing; a missing ``optional`` one is told."""

    name: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()


_WHO = ("billable_type", "billable_id")
PLANS = SourceTable(
    "ai_plans",
    ("id", "name", "slug", "monthly_token_limit", "monthly_cost_limit"),
    (
        "overage_price_per_1k_tokens", "features", "is_active", "trial_days", "created_at",
        "deleted_at",
    ),
)  # fmt: skip
SUBSCRIPTIONS = SourceTable(
    "ai_subscriptions",
    ("id", *_WHO, "ai_plan_id", "started_at", "ends_at"),
    (
        "billing_mode", "renews_at", "trial_ends_at", "grace_period_ends_at", "meta", "created_at",
        "deleted_at",
    ),
)  # fmt: skip
OVERRIDES = SourceTable(
    "ai_usage_limit_overrides",
    ("id", *_WHO, "period_start", "period_end"),
    ("token_limit", "cost_limit", "created_at"),
)
USAGES = SourceTable(
    "ai_usages",
    ("id", *_WHO, "provider", "model", "total_cost", "currency", "occurred_at"),
    (
        "user_id", "tenant_id", "feature", "input_tokens", "output_tokens", "total_tokens", "meta",
        "idempotency_key",
    ),
)  # fmt: skip
OVERAGES = SourceTable(
    "ai_overages",
    ("id", *_WHO, "period_start", "period_end", "tokens", "cost", "currency", "synced_at"),
    ("stripe_invoice_item_id", "created_at"),
)
WALLETS = SourceTable("ai_credit_wallets", ("id", *_WHO, "balance", "currency"), ("created_at",))
TRANSACTIONS = SourceTable(
    "ai_credit_transactions",
    ("id", "wallet_id", "amount", "direction", "created_at"),
    ("reason", "meta"),
)
TABLES = (PLANS, SUBSCRIPTIONS, OVERRIDES, USAGES, OVERAGES, WALLETS, TRANSACTIONS)
UNUSUAL = frozenset({"deleted_at"})
"""Columns that the package makes only where it is told so."""
OURS = "ai_installation"
"""A table that only a database of aimeter has: the names of the others are the same."""
