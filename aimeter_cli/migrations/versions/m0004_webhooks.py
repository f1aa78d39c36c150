"""Webhooks: events that wait for a subscription, the pull's cursor, drafts, refused deliveries."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)
_UNKNOWN = "unknown subscription "


def upgrade() -> None:
    op.add_column("ai_webhook_events", sa.Column("waits_for", sa.Text(), nullable=True))
    op.execute(
        f"UPDATE ai_webhook_events SET waits_for = substr(error, {len(_UNKNOWN) + 1})"
        f" WHERE status = 'ignored' AND error LIKE '{_UNKNOWN}%'"
    )
    _partial_index("ix_webhook_event_waiting", "waits_for", where="waits_for IS NOT NULL")
    _partial_index("ix_webhook_event_due", "id", where="status IN ('received', 'failed')")
    _partial_index("ix_webhook_event_kept", "received_at", where="payload <> ''")
    op.add_column("ai_subscriptions", sa.Column("draft_invoice_id", sa.Text(), nullable=True))
    op.add_column("ai_subscriptions", sa.Column("draft_period_end", _MOMENT, nullable=True))
    op.add_column("ai_subscriptions", sa.Column("recovered_at", _MOMENT, nullable=True))
    op.add_column("ai_installation", sa.Column("events_pulled_until", _MOMENT, nullable=True))
    refused = sa.Column("deliveries_refused", sa.Integer(), nullable=False, server_default="0")
    op.add_column("ai_installation", refused)
    op.add_column("ai_installation", sa.Column("delivery_refused_at", _MOMENT, nullable=True))


def _partial_index(name: str, *columns: str, where: str) -> None:
    predicate = sa.text(where)
    op.create_index(
        name, "ai_webhook_events", list(columns), sqlite_where=predicate, postgresql_where=predicate
    )
