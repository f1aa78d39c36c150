"""Credits, limit overrides, prices that were charged, daily sums, deliveries of events."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)
_CLASSES = ("input", "cached_input", "cache_write", "output", "reasoning")
_DELIVERY = "('pending', 'delivered', 'failed')"
_KINDS = "('add', 'deduct', 'usage', 'refund', 'expiry', 'correction')"


def upgrade() -> None:
    _prices()
    _overrides()
    _usages()
    _days()
    _wallets()
    _events()
    _reference("ai_subscriptions", "next_plan_id", "ai_plans")
    op.add_column("ai_subscriptions", sa.Column("plan_changes_at", _MOMENT, nullable=True))
    history = sa.Column("plan_history", sa.JSON(), nullable=False, server_default="[]")
    op.add_column("ai_subscriptions", history)
    op.add_column("ai_billables", sa.Column("anonymized_at", _MOMENT, nullable=True))
    op.add_column("ai_installation", sa.Column("pruned_before", _MOMENT, nullable=True))


def _prices() -> None:
    op.create_table(
        "ai_prices",
        _id(),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        *(sa.Column(f"{name}_per_1m", sa.BigInteger(), nullable=True) for name in _CLASSES),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )


def _overrides() -> None:
    op.create_table(
        "ai_usage_limit_overrides",
        _id(),
        sa.Column("billable_id", sa.BigInteger(), nullable=False),
        sa.Column("starts_at", _MOMENT, nullable=False),
        sa.Column("ends_at", _MOMENT, nullable=False),
        *(
            sa.Column(f"{name}_limit", sa.BigInteger(), nullable=True)
            for name in ("token", "cost", "request")
        ),
        *(
            sa.Column(f"lifts_{name}", sa.Boolean(), nullable=False)
            for name in ("tokens", "cost", "requests")
        ),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.CheckConstraint("starts_at < ends_at", name="override_order"),
        sa.ForeignKeyConstraint(["billable_id"], ["ai_billables.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_override_billable", "ai_usage_limit_overrides", ["billable_id", "ends_at"])


def _usages() -> None:
    _reference("ai_usages", "price_id", "ai_prices")
    for name in ("billing_mode", "user_ref", "tenant"):
        op.add_column("ai_usages", sa.Column(name, sa.Text(), nullable=True))
    _reference("ai_usages", "adjusts_id", "ai_usages")
    op.execute("UPDATE ai_usages SET billing_mode = 'credits' WHERE state = 'unpaid'")
    _partial_index("ix_usage_unpaid", "ai_usages", "billable_id", "id", where="state = 'unpaid'")
    _partial_index("ix_usage_adjusts", "ai_usages", "adjusts_id", where="adjusts_id IS NOT NULL")
    for name in ("approached_at", "reached_at"):
        op.add_column("ai_usage_counters", sa.Column(name, _MOMENT, nullable=True))
    op.add_column(
        "ai_usage_counters",
        sa.Column("is_adjusted", sa.Boolean(), nullable=False, server_default=sa.false()),
    )


def _days() -> None:
    op.create_table(
        "ai_usage_days",
        _id(),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("billable_id", sa.BigInteger(), nullable=False),
        *(
            sa.Column(f"{name}_id", sa.BigInteger(), nullable=True)
            for name in ("subscription", "counter", "overage")
        ),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=True) for name in ("feature", "tenant")),
        sa.Column("billing_mode", sa.Text(), nullable=True),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        *(sa.Column(f"{name}_tokens", sa.BigInteger(), nullable=False) for name in _CLASSES),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("plan_cost", sa.BigInteger(), nullable=False),
        sa.Column("charge", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["billable_id"], ["ai_billables.id"]),
        sa.ForeignKeyConstraint(["subscription_id"], ["ai_subscriptions.id"]),
        sa.ForeignKeyConstraint(["counter_id"], ["ai_usage_counters.id"]),
        sa.ForeignKeyConstraint(["overage_id"], ["ai_overages.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_usage_day", "ai_usage_days", ["billable_id", "day"])
    op.create_index("ix_usage_day_day", "ai_usage_days", ["day"])
    for column in ("overage", "counter"):
        _partial_index(f"ix_usage_day_{column}", "ai_usage_days", f"{column}_id",
                       where=f"{column}_id IS NOT NULL")  # fmt: skip


def _wallets() -> None:
    op.create_table(
        "ai_credit_wallets",
        _id(),
        sa.Column("billable_id", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("balance", sa.BigInteger(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("updated_at", _MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["billable_id"], ["ai_billables.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("uq_wallet_billable", "ai_credit_wallets", ["billable_id"], unique=True)
    op.create_table(
        "ai_credit_transactions",
        _id(),
        sa.Column("wallet_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("balance_after", sa.BigInteger(), nullable=False),
        *(sa.Column(n, sa.Text(), nullable=True)
          for n in ("reason", "idempotency_key", "fingerprint")),
        sa.Column("usage_id", sa.BigInteger(), nullable=True),
        sa.Column("reverses_id", sa.BigInteger(), nullable=True),
        sa.Column("meta", sa.Text(), nullable=True),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.CheckConstraint(f"kind IN {_KINDS}", name="credit_kind"),
        sa.ForeignKeyConstraint(["wallet_id"], ["ai_credit_wallets.id"]),
        sa.ForeignKeyConstraint(["usage_id"], ["ai_usages.id"]),
        sa.ForeignKeyConstraint(["reverses_id"], ["ai_credit_transactions.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("idempotency_key"),
    )  # fmt: skip
    op.create_index("ix_credit_wallet", "ai_credit_transactions", ["wallet_id", "id"])
    for column in ("usage", "reverses"):
        _partial_index(
            f"ix_credit_{column}", "ai_credit_transactions", f"{column}_id",
            where=f"{column}_id IS NOT NULL",
        )  # fmt: skip
    op.create_table(
        "ai_credit_grants",
        _id(),
        sa.Column("wallet_id", sa.BigInteger(), nullable=False),
        sa.Column("transaction_id", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("remaining", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=True),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.CheckConstraint("remaining >= 0 AND remaining <= amount", name="grant_remaining"),
        sa.ForeignKeyConstraint(["wallet_id"], ["ai_credit_wallets.id"]),
        sa.ForeignKeyConstraint(["transaction_id"], ["ai_credit_transactions.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    _partial_index("ix_grant_left", "ai_credit_grants", "wallet_id", "expires_at",
                   where="remaining > 0")  # fmt: skip
    op.create_table(
        "ai_credit_holds",
        _id(),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("wallet_id", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.Column("closed_at", _MOMENT, nullable=True),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.CheckConstraint("amount >= 0", name="hold_amount"),
        sa.ForeignKeyConstraint(["wallet_id"], ["ai_credit_wallets.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("uid"),
    )
    _partial_index("ix_hold_open", "ai_credit_holds", "wallet_id", "expires_at",
                   where="closed_at IS NULL")  # fmt: skip


def _events() -> None:
    op.add_column("ai_domain_events", sa.Column("fanned_out_at", _MOMENT, nullable=True))
    op.execute("UPDATE ai_domain_events SET fanned_out_at = created_at")  # there were no sinks
    _partial_index("ix_event_new", "ai_domain_events", "id", where="fanned_out_at IS NULL")
    op.create_table(
        "ai_event_deliveries",
        _id(),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("sink", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("not_before", _MOMENT, nullable=False),
        sa.Column("lease_token", sa.Text(), nullable=True),
        sa.Column("lease_expires_at", _MOMENT, nullable=True),
        sa.Column("delivered_at", _MOMENT, nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.CheckConstraint(f"status IN {_DELIVERY}", name="delivery_status"),
        sa.ForeignKeyConstraint(["event_id"], ["ai_domain_events.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("event_id", "sink", name="uq_delivery"),
    )
    _partial_index("ix_delivery_due", "ai_event_deliveries", "not_before",
                   where="status = 'pending'")  # fmt: skip
    _partial_index("ix_delivery_failed", "ai_event_deliveries", "event_id",
                   where="status = 'failed'")  # fmt: skip


def _id() -> sa.Column[int]:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column("id", big, autoincrement=True, nullable=False)


def _reference(table: str, column: str, target: str) -> None:
    """Not in a batch: SQLite would delete the table, to which others refer."""
    op.execute(f"ALTER TABLE {table} ADD COLUMN {column} BIGINT REFERENCES {target} (id)")


def _partial_index(name: str, table: str, *columns: str, where: str, unique: bool = False) -> None:
    predicate = sa.text(where)
    op.create_index(
        name, table, list(columns), unique=unique, sqlite_where=predicate,
        postgresql_where=predicate,
    )  # fmt: skip
