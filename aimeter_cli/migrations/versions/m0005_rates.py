"""Rates that are held until an operator confirms them."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    id_type = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "ai_held_rates",
        sa.Column("id", id_type, autoincrement=True, nullable=False),
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("base", "quote", "value", "source", "previous")
        ),
        sa.Column("effective_at", _MOMENT, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.CheckConstraint("base <> quote", name="held_rate_pair"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("base", "quote", "effective_at", name="uq_held_rate"),
    )
