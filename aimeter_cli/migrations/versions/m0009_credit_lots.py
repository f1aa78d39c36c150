"""Which expiring credits an entry of a ledger spent, so that a refund gives them back as such."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("ai_credit_transactions", sa.Column("lots", sa.Text(), nullable=True))
