"""Final invoices, the run that dealt with an overage, releases, restores and Stripe's account."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)
_KINDS = "('create', 'update', 'create_invoice', 'add_lines', 'finalize')"


def upgrade() -> None:
    _final_invoices()
    for name, table, column in (
        ("ix_overage_item", "ai_overages", "item_id"),
        ("ix_item_carried_to", "ai_invoice_items", "carried_to_id"),
    ):
        op.drop_index(name, table_name=table)
        _partial_index(name, table, column, where=f"{column} IS NOT NULL")
    # Not in a batch: SQLite would delete the table, to which overages refer.
    op.execute(
        "ALTER TABLE ai_invoice_items ADD COLUMN final_invoice_id BIGINT"
        " REFERENCES ai_final_invoices (id)"
    )
    op.add_column(
        "ai_invoice_items",
        sa.Column("is_stale", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    _partial_index("ix_item_final_invoice", "ai_invoice_items", "final_invoice_id",
                   where="final_invoice_id IS NOT NULL")  # fmt: skip
    with op.batch_alter_table("ai_sync_attempts") as attempts:
        attempts.alter_column("item_id", existing_type=sa.BigInteger(), nullable=True)
        attempts.add_column(sa.Column("final_invoice_id", sa.BigInteger(), nullable=True))
        attempts.create_foreign_key(
            "fk_attempt_final_invoice", "ai_final_invoices", ["final_invoice_id"], ["id"]
        )
        attempts.create_unique_constraint(
            "uq_final_attempt", ["final_invoice_id", "version", "generation"]
        )
        attempts.drop_constraint("attempt_kind", type_="check")
        attempts.create_check_constraint("attempt_kind", f"kind IN {_KINDS}")
        attempts.create_check_constraint(
            "attempt_of_one", "(item_id IS NULL) <> (final_invoice_id IS NULL)"
        )
    op.add_column("ai_overages", sa.Column("run_id", sa.Text(), nullable=True))
    op.add_column("ai_overages", sa.Column("released_at", _MOMENT, nullable=True))
    _partial_index("ix_overage_run", "ai_overages", "run_id", where="run_id IS NOT NULL")
    op.add_column("ai_installation", sa.Column("stripe_key_hash", sa.Text(), nullable=True))
    op.add_column("ai_installation", sa.Column("restored_at", _MOMENT, nullable=True))
    op.add_column(
        "ai_installation",
        sa.Column("first_generation", sa.Integer(), nullable=False, server_default="0"),
    )


def _final_invoices() -> None:
    op.create_table(
        "ai_final_invoices",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("billable_id", sa.BigInteger(), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("stripe_customer_id", sa.Text(), nullable=False),
        sa.Column("stripe_invoice_id", sa.Text(), nullable=True),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("lease_token", sa.Text(), nullable=True),
        sa.Column("lease_expires_at", _MOMENT, nullable=True),
        sa.Column("not_before", _MOMENT, nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("unanswered_at", _MOMENT, nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("updated_at", _MOMENT, nullable=False),
        sa.CheckConstraint(
            "status IN ('sending', 'unknown', 'failed', 'held', 'done')", name="final_status"
        ),
        sa.CheckConstraint(
            "phase IN ('create_invoice', 'add_lines', 'finalize')", name="final_phase"
        ),
        sa.CheckConstraint("(status = 'sending') = (lease_token IS NOT NULL)", name="final_lease"),
        sa.ForeignKeyConstraint(["billable_id"], ["ai_billables.id"]),
        sa.ForeignKeyConstraint(["subscription_id"], ["ai_subscriptions.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("stripe_invoice_id"),
        sa.UniqueConstraint("uid"),
    )
    _partial_index("uq_final_open", "ai_final_invoices", "subscription_id", "currency",
                   where="status <> 'done'", unique=True)  # fmt: skip
    _partial_index("ix_final_due", "ai_final_invoices", "not_before",
                   where="status IN ('sending', 'unknown')")  # fmt: skip


def _partial_index(name: str, table: str, *columns: str, where: str, unique: bool = False) -> None:
    predicate = sa.text(where)
    op.create_index(
        name, table, list(columns), unique=unique, sqlite_where=predicate,
        postgresql_where=predicate,
    )  # fmt: skip
