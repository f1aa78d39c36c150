"""The first schema: everything from plans to invoice items."""

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ai_billables",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("stripe_customer_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("stripe_customer_id"),
        sa.UniqueConstraint("type", "external_id", name="uq_billable"),
    )
    op.create_table(
        "ai_installation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("install_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_reason", sa.Text(), nullable=True),
        sa.Column("stripe_account", sa.Text(), nullable=True),
        sa.Column("stripe_livemode", sa.Boolean(), nullable=True),
        sa.CheckConstraint("id = 1", name="one_installation"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "ai_job_runs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("counts", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_job_run_command", "ai_job_runs", ["command", "started_at"], unique=False)
    op.create_table(
        "ai_plans",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("token_limit", sa.BigInteger(), nullable=True),
        sa.Column("cost_limit", sa.BigInteger(), nullable=True),
        sa.Column("request_limit", sa.BigInteger(), nullable=True),
        sa.Column("overage_price_per_1k_tokens", sa.BigInteger(), nullable=True),
        sa.Column("overage_behavior", sa.Text(), nullable=True),
        sa.Column("trial_days", sa.Integer(), nullable=False),
        sa.Column("features", sa.JSON(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "overage_behavior IN ('block', 'allow', 'charge')", name="plan_overage_behavior"
        ),
        sa.CheckConstraint("cost_limit >= 0", name="plan_cost_limit"),
        sa.CheckConstraint("overage_price_per_1k_tokens >= 0", name="plan_price"),
        sa.CheckConstraint("request_limit >= 0", name="plan_request_limit"),
        sa.CheckConstraint("token_limit >= 0", name="plan_token_limit"),
        sa.CheckConstraint("trial_days >= 0", name="plan_trial"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("slug"),
    )
    op.create_table(
        "ai_rates",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("base", sa.Text(), nullable=False),
        sa.Column("quote", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("base <> quote", name="rate_pair"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("base", "quote", "effective_at", name="uq_rate"),
    )
    op.create_table(
        "ai_webhook_events",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("handled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('received', 'processed', 'ignored', 'stale', 'failed', 'quarantined')",
            name="webhook_event_status",
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("livemode", "event_id", name="uq_webhook_event"),
    )
    op.create_index(
        "ix_webhook_event_object", "ai_webhook_events", ["object_id", "created"], unique=False
    )
    op.create_table(
        "ai_domain_events",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("billable_id", sa.BigInteger(), nullable=True),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["billable_id"],
            ["ai_billables.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "ai_plan_prices",
        sa.Column("stripe_price_id", sa.Text(), nullable=False),
        sa.Column("plan_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["plan_id"],
            ["ai_plans.id"],
        ),
        sa.PrimaryKeyConstraint("stripe_price_id"),
    )
    op.create_index(op.f("ix_ai_plan_prices_plan_id"), "ai_plan_prices", ["plan_id"], unique=False)
    op.create_table(
        "ai_subscriptions",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("billable_id", sa.BigInteger(), nullable=False),
        sa.Column("plan_id", sa.BigInteger(), nullable=False),
        sa.Column("billing_mode", sa.Text(), nullable=False),
        sa.Column("is_live", sa.Boolean(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("renews_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("trial_ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("grace_period_ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("grace_invoice_id", sa.Text(), nullable=True),
        sa.Column("unpaid_invoices", sa.JSON(), nullable=False),
        sa.Column("expired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancellation_reason", sa.Text(), nullable=True),
        sa.Column("is_incomplete", sa.Boolean(), nullable=False),
        sa.Column("period_type", sa.Text(), nullable=False),
        sa.Column("period_alignment", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("period_anchor", sa.DateTime(timezone=True), nullable=False),
        sa.Column("current_period_start", sa.DateTime(timezone=True), nullable=True),
        sa.Column("current_period_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stripe_subscription_id", sa.Text(), nullable=True),
        sa.Column("stripe_updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("meta", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("billing_mode IN ('plan', 'credits')", name="subscription_billing_mode"),
        sa.CheckConstraint("ends_at IS NULL OR ends_at >= started_at", name="subscription_order"),
        sa.ForeignKeyConstraint(
            ["billable_id"],
            ["ai_billables.id"],
        ),
        sa.ForeignKeyConstraint(
            ["plan_id"],
            ["ai_plans.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("stripe_subscription_id"),
    )
    op.create_index(
        op.f("ix_ai_subscriptions_billable_id"), "ai_subscriptions", ["billable_id"], unique=False
    )
    op.create_index(
        op.f("ix_ai_subscriptions_plan_id"), "ai_subscriptions", ["plan_id"], unique=False
    )
    op.create_index(
        "uq_live_subscription",
        "ai_subscriptions",
        ["billable_id"],
        unique=True,
        sqlite_where=sa.text("is_live"),
        postgresql_where=sa.text("is_live"),
    )
    op.create_table(
        "ai_usage_counters",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("billable_id", sa.BigInteger(), nullable=False),
        sa.Column("plan_id", sa.BigInteger(), nullable=False),
        sa.Column("period_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("period_end", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_trial", sa.Boolean(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("token_limit", sa.BigInteger(), nullable=True),
        sa.Column("cost_limit", sa.BigInteger(), nullable=True),
        sa.Column("request_limit", sa.BigInteger(), nullable=True),
        sa.Column("overage_price_per_1k_tokens", sa.BigInteger(), nullable=True),
        sa.Column("overage_markup", sa.Text(), nullable=False),
        sa.Column("overage_behavior", sa.Text(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.Column("excess_token_cost", sa.BigInteger(), nullable=False),
        sa.Column("excess_request_cost", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("period_start < period_end", name="counter_period"),
        sa.ForeignKeyConstraint(
            ["billable_id"],
            ["ai_billables.id"],
        ),
        sa.ForeignKeyConstraint(
            ["plan_id"],
            ["ai_plans.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint(
            "billable_id", "plan_id", "period_start", "period_end", "is_trial", name="uq_counter"
        ),
    )
    op.create_table(
        "ai_invoice_items",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("billable_id", sa.BigInteger(), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("period_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("period_end", sa.DateTime(timezone=True), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("is_dirty", sa.Boolean(), nullable=False),
        sa.Column("may_overwrite", sa.Boolean(), nullable=False),
        sa.Column("is_leaving", sa.Boolean(), nullable=False),
        sa.Column("stripe_customer_id", sa.Text(), nullable=True),
        sa.Column("stripe_item_id", sa.Text(), nullable=True),
        sa.Column("stripe_invoice_id", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("target_minor", sa.BigInteger(), nullable=False),
        sa.Column("confirmed_minor", sa.BigInteger(), nullable=False),
        sa.Column("confirmed_version", sa.Integer(), nullable=False),
        sa.Column("lease_token", sa.Text(), nullable=True),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("unanswered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("check_after", sa.DateTime(timezone=True), nullable=True),
        sa.Column("final_minor", sa.BigInteger(), nullable=True),
        sa.Column("carry_out", sa.BigInteger(), nullable=True),
        sa.Column("carried_to_id", sa.BigInteger(), nullable=True),
        sa.Column("carried_in_version", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(status = 'closed') = (carry_out IS NOT NULL)", name="item_closed"),
        sa.CheckConstraint("(status = 'sending') = (lease_token IS NOT NULL)", name="item_lease"),
        sa.CheckConstraint(
            "status IN ('idle', 'sending', 'unknown', 'failed', 'held', 'closed')",
            name="item_status",
        ),
        sa.CheckConstraint("confirmed_version <= version", name="item_version"),
        sa.CheckConstraint("target_minor >= 0", name="item_target"),
        sa.ForeignKeyConstraint(
            ["billable_id"],
            ["ai_billables.id"],
        ),
        sa.ForeignKeyConstraint(
            ["carried_to_id"],
            ["ai_invoice_items.id"],
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["ai_subscriptions.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint(
            "billable_id",
            "subscription_id",
            "period_start",
            "currency",
            "sequence",
            name="uq_item_sequence",
        ),
        sa.UniqueConstraint("stripe_item_id"),
        sa.UniqueConstraint("uid"),
    )
    op.create_index("ix_item_carried_to", "ai_invoice_items", ["carried_to_id"], unique=False)
    op.create_index(
        "ix_item_carry",
        "ai_invoice_items",
        ["billable_id", "currency"],
        unique=False,
        sqlite_where=sa.text("status = 'closed' AND carried_to_id IS NULL AND carry_out <> 0"),
        postgresql_where=sa.text("status = 'closed' AND carried_to_id IS NULL AND carry_out <> 0"),
    )
    op.create_index(
        "ix_item_dirty",
        "ai_invoice_items",
        ["id"],
        unique=False,
        sqlite_where=sa.text("status = 'idle' AND is_dirty"),
        postgresql_where=sa.text("status = 'idle' AND is_dirty"),
    )
    op.create_index(
        "ix_item_due",
        "ai_invoice_items",
        ["not_before"],
        unique=False,
        sqlite_where=sa.text("status IN ('sending', 'unknown')"),
        postgresql_where=sa.text("status IN ('sending', 'unknown')"),
    )
    op.create_index(
        "ix_item_pending",
        "ai_invoice_items",
        ["period_end"],
        unique=False,
        sqlite_where=sa.text("status = 'idle' AND stripe_item_id IS NOT NULL"),
        postgresql_where=sa.text("status = 'idle' AND stripe_item_id IS NOT NULL"),
    )
    op.create_index(
        "uq_item_live",
        "ai_invoice_items",
        ["billable_id", "subscription_id", "period_start", "currency"],
        unique=True,
        sqlite_where=sa.text("status <> 'closed'"),
        postgresql_where=sa.text("status <> 'closed'"),
    )
    op.create_table(
        "ai_overages",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("billable_id", sa.BigInteger(), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("counter_id", sa.BigInteger(), nullable=False),
        sa.Column("period_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("period_end", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("charge_amount", sa.BigInteger(), nullable=True),
        sa.Column("charge_currency", sa.Text(), nullable=True),
        sa.Column("exchange_rate", sa.Text(), nullable=True),
        sa.Column("exchange", sa.Text(), nullable=True),
        sa.Column("item_id", sa.BigInteger(), nullable=True),
        sa.Column("in_version", sa.Integer(), nullable=True),
        sa.Column("external_item_id", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("synced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("status <> 'open' OR item_id IS NULL", name="overage_open_unclaimed"),
        sa.CheckConstraint(
            "status IN ('open', 'frozen', 'carried', 'needs_rate', 'held', 'failed', 'unknown', 'synced', 'waived')",
            name="overage_status",
        ),
        sa.CheckConstraint(
            "status NOT IN ('synced', 'carried') OR item_id IS NOT NULL OR external_item_id IS NOT NULL",
            name="overage_accounted",
        ),
        sa.CheckConstraint(
            "item_id IS NULL OR charge_amount IS NOT NULL", name="overage_converted"
        ),
        sa.ForeignKeyConstraint(
            ["billable_id"],
            ["ai_billables.id"],
        ),
        sa.ForeignKeyConstraint(
            ["counter_id"],
            ["ai_usage_counters.id"],
        ),
        sa.ForeignKeyConstraint(
            ["item_id"],
            ["ai_invoice_items.id"],
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["ai_subscriptions.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_overage_billable", "ai_overages", ["billable_id", "period_start"], unique=False
    )
    op.create_index(
        "ix_overage_external",
        "ai_overages",
        ["external_item_id"],
        unique=False,
        sqlite_where=sa.text("external_item_id IS NOT NULL"),
        postgresql_where=sa.text("external_item_id IS NOT NULL"),
    )
    op.create_index("ix_overage_item", "ai_overages", ["item_id"], unique=False)
    op.create_index(
        "ix_overage_unsent",
        "ai_overages",
        ["id"],
        unique=False,
        sqlite_where=sa.text("item_id IS NULL AND status IN ('open', 'frozen', 'needs_rate')"),
        postgresql_where=sa.text("item_id IS NULL AND status IN ('open', 'frozen', 'needs_rate')"),
    )
    op.create_index(
        "ix_overage_unsynced",
        "ai_overages",
        ["status", "id"],
        unique=False,
        sqlite_where=sa.text("status NOT IN ('carried', 'synced', 'waived')"),
        postgresql_where=sa.text("status NOT IN ('carried', 'synced', 'waived')"),
    )
    op.create_index(
        "uq_overage_late",
        "ai_overages",
        ["counter_id", "subscription_id"],
        unique=True,
        sqlite_where=sa.text("status = 'held' AND reason = 'late_usage'"),
        postgresql_where=sa.text("status = 'held' AND reason = 'late_usage'"),
    )
    op.create_index(
        "uq_overage_open",
        "ai_overages",
        ["counter_id", "subscription_id"],
        unique=True,
        sqlite_where=sa.text("status = 'open'"),
        postgresql_where=sa.text("status = 'open'"),
    )
    op.create_table(
        "ai_sync_attempts",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("item_id", sa.BigInteger(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("stripe_item_id", sa.Text(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("first_sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sends", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint("kind IN ('create', 'update')", name="attempt_kind"),
        sa.ForeignKeyConstraint(
            ["item_id"],
            ["ai_invoice_items.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("idempotency_key"),
        sa.UniqueConstraint("item_id", "version", "generation", name="uq_attempt"),
    )
    op.create_table(
        "ai_usages",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("billable_id", sa.BigInteger(), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=True),
        sa.Column("counter_id", sa.BigInteger(), nullable=True),
        sa.Column("overage_id", sa.BigInteger(), nullable=True),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("feature", sa.Text(), nullable=True),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cached_input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cache_write_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("reasoning_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("plan_cost", sa.BigInteger(), nullable=True),
        sa.Column("exchange", sa.Text(), nullable=True),
        sa.Column("charge", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("meta", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('priced', 'unpriced', 'needs_rate', 'unpaid')", name="usage_state"
        ),
        sa.ForeignKeyConstraint(
            ["billable_id"],
            ["ai_billables.id"],
        ),
        sa.ForeignKeyConstraint(
            ["counter_id"],
            ["ai_usage_counters.id"],
        ),
        sa.ForeignKeyConstraint(
            ["overage_id"],
            ["ai_overages.id"],
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["ai_subscriptions.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("idempotency_key"),
    )
    op.create_index("ix_usage_billable", "ai_usages", ["billable_id", "occurred_at"], unique=False)
    op.create_index(
        "ix_usage_overage",
        "ai_usages",
        ["overage_id"],
        unique=False,
        sqlite_where=sa.text("overage_id IS NOT NULL"),
        postgresql_where=sa.text("overage_id IS NOT NULL"),
    )
    op.create_index(
        "ix_usage_waiting",
        "ai_usages",
        ["provider", "model"],
        unique=False,
        sqlite_where=sa.text("state IN ('unpriced', 'needs_rate')"),
        postgresql_where=sa.text("state IN ('unpriced', 'needs_rate')"),
    )
    op.get_bind().execute(
        sa.text(
            "INSERT INTO ai_installation (id, install_id, created_at)"
            " VALUES (1, :install_id, CURRENT_TIMESTAMP)"
        ),
        {"install_id": uuid.uuid4().hex},
    )
