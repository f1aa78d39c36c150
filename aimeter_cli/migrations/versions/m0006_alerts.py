"""Alerts: what needs a person, from its beginning to its end."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    id_type = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "ai_alerts",
        sa.Column("id", id_type, autoincrement=True, nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("name", "kind", "subject")),
        sa.Column("billable_id", sa.BigInteger(), nullable=True),
        sa.Column("facts", sa.Text(), nullable=False),
        *(sa.Column(name, _MOMENT, nullable=False) for name in ("opened_at", "last_told_at")),
        *(sa.Column(name, _MOMENT, nullable=True) for name in ("gone_at", "closed_at")),
        sa.ForeignKeyConstraint(["billable_id"], ["ai_billables.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    is_open = sa.text("closed_at IS NULL")
    op.create_index(
        "uq_alert_open", "ai_alerts", ["name", "kind", "subject"], unique=True,
        sqlite_where=is_open, postgresql_where=is_open,
    )  # fmt: skip
