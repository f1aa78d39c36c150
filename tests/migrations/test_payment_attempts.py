"""Failed payments of an older database keep which attempt they were, once payloads are pruned."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text

from aimeter_cli.db.engine import Database
from aimeter_cli.migrations.upgrade import upgrade
from tests.webhooks.payloads import failure, payment

T = "2026-11-01 00:00:00+00:00"
PAYLOADS = {
    "plain": (json.dumps(failure(attempt=2)), 2),
    "envelope": (json.dumps({"detail-type": "x", "detail": failure(attempt=3)}), 3),
    "pruned": ("", None),
    "anonymised": ("{}", None),
    "odd": ('{"data": {"object": {"attempt_count": "7"}}}', None),
    "no json": ("{", None),
}
_ADD = text(
    "INSERT INTO ai_webhook_events (event_id, livemode, type, created, payload, digest, status,"
    f" attempts, received_at) VALUES (:id, false, :type, '{T}', :payload, 'd', 'processed', 1,"
    f" '{T}')"
)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_attempts_are_read_from_the_payloads_that_are_kept(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path}/old.db"
    database = Database(request.getfixturevalue("empty_pg_url") if kind == "postgresql" else url)
    config = Config()
    config.set_main_option("script_location", "aimeter_cli:migrations")
    failed = [
        {"id": name, "type": "invoice.payment_failed", "payload": payload}
        for name, (payload, _) in PAYLOADS.items()
    ]
    paid = {"id": "paid", "type": "invoice.paid", "payload": json.dumps(payment())}
    with database.write() as session:
        config.attributes["connection"] = session.connection()
        command.upgrade(config, "0007")
        session.connection().execute(_ADD, [*failed, paid])
    upgrade(database)
    with database.read() as session:
        rows = session.connection().execute(
            text("SELECT event_id, attempt_count FROM ai_webhook_events")
        )
        found = {row.event_id: row.attempt_count for row in rows}
    database.dispose()
    assert found == {name: attempt for name, (_, attempt) in PAYLOADS.items()} | {"paid": None}
