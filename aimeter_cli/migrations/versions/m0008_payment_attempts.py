"""Which attempt a failed payment was, beside the payload that may be pruned."""

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_MOST = 2**31
_FAILED = (
    "SELECT id, payload FROM ai_webhook_events"
    " WHERE type = 'invoice.payment_failed' AND status <> 'quarantined' AND payload <> ''"
    " AND id > :after ORDER BY id LIMIT 500"
)
_SET = sa.text("UPDATE ai_webhook_events SET attempt_count = :attempt WHERE id = :id")


def upgrade() -> None:
    op.add_column("ai_webhook_events", sa.Column("attempt_count", sa.Integer(), nullable=True))
    bind = op.get_bind()
    after = 0
    while rows := bind.execute(sa.text(_FAILED), {"after": after}).all():
        found = [(row.id, _attempt(row.payload)) for row in rows]
        values = [
            {"id": row_id, "attempt": attempt} for row_id, attempt in found if attempt is not None
        ]
        if values:
            bind.execute(_SET, values)
        after = rows[-1].id


def _attempt(payload: str) -> int | None:
    try:
        event = json.loads(payload)
    except ValueError:
        return None
    event = _member(event, "detail") or event  # EventBridge's envelope
    found = (_member(_member(event, "data"), "object") or {}).get("attempt_count")
    return found if isinstance(found, int) and 0 <= found < _MOST else None


def _member(value: Any, name: str) -> Mapping[str, Any] | None:
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, Mapping) else None
