"""An older database keeps its data, row for row, when it is migrated."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text
from sqlmodel import select

from aimeter_cli.db.engine import Database
from aimeter_cli.migrations import HEAD
from aimeter_cli.migrations.upgrade import current_revision, upgrade
from aimeter_cli.models.wallets import CreditTransaction

T = "'2026-11-01 00:00:00+00:00'"
FIRST = (
    (
        "INSERT INTO ai_billables (id, type, external_id, stripe_customer_id, created_at)"
        f" VALUES (1, 'user', '42', 'cus_1', {T})"
    ),
    (
        "INSERT INTO ai_plans (id, slug, name, currency, trial_days, features,"
        " is_active, created_at,"
        f" updated_at) VALUES (1, 'pro', 'Pro', 'usd', 0, '[]', true, {T}, {T})"
    ),
    (
        "INSERT INTO ai_subscriptions (id, billable_id, plan_id, billing_mode, is_live, started_at,"
        " unpaid_invoices, is_incomplete, period_type, period_alignment, timezone,"
        " period_anchor, meta,"
        f" created_at, updated_at) VALUES (1, 1, 1, 'plan', true, {T}, '{{}}', false, 'monthly',"
        f" 'calendar', 'UTC', {T}, '{{}}', {T}, {T})"
    ),
    (
        "INSERT INTO ai_usage_counters (id, billable_id, plan_id, period_start,"
        " period_end, is_trial,"
        " currency, overage_markup, overage_behavior, tokens, requests, cost, excess_token_cost,"
        f" excess_request_cost) VALUES (1, 1, 1, {T}, '2026-12-01 00:00:00+00:00', false,"
        f" 'usd', '1',"
        " 'charge', 2000, 1, 0, 0, 0)"
    ),
    (
        "INSERT INTO ai_invoice_items (id, uid, billable_id, subscription_id,"
        " period_start, period_end,"
        " currency, sequence, status, step, is_dirty, may_overwrite, is_leaving, stripe_item_id,"
        " version, generation, target_minor, confirmed_minor, confirmed_version,"
        " attempts, created_at,"
        f" updated_at) VALUES (1, 'u1', 1, 1, {T}, '2026-12-01 00:00:00+00:00', 'usd', 1, 'idle',"
        f" 'send', false, false, false, 'ii_1', 1, 0, 200, 200, 1, 0, {T}, {T})"
    ),
    (
        "INSERT INTO ai_overages (id, billable_id, subscription_id, counter_id, period_start,"
        " period_end, status, tokens, amount, currency, charge_amount, charge_currency, item_id,"
        f" in_version, attempts, created_at, updated_at) VALUES (1, 1, 1, 1, {T},"
        " '2026-12-01 00:00:00+00:00', 'synced', 1000, 2000000001, 'usd', 2000000001,"
        " 'usd', 1, 1, 1,"
        f" {T}, {T})"
    ),
    (
        "INSERT INTO ai_sync_attempts (id, item_id, run_id, version, generation, kind,"
        " amount_minor,"
        " request, idempotency_key, first_sent_at, last_sent_at, sends, outcome)"
        f" VALUES (7, 1, 'r1', 1, 0, 'create', 200, '{{}}', 'k1', {T}, {T}, 1, 'done')"
    ),
)
TABLES = (
    "ai_billables", "ai_plans", "ai_subscriptions", "ai_usage_counters", "ai_invoice_items",
    "ai_overages", "ai_sync_attempts", "ai_installation",
)  # fmt: skip


@pytest.fixture(params=["sqlite", "postgresql"])
def any_empty(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Database]:
    is_sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/old.db" if is_sqlite else request.getfixturevalue("empty_pg_url")
    database = Database(url)
    yield database
    database.dispose()


def _to(database: Database, revision: str, *statements: str) -> None:
    """A database of that revision, with these rows."""
    config = Config()
    config.set_main_option("script_location", "aimeter_cli:migrations")
    with database.write() as session:
        config.attributes["connection"] = session.connection()
        command.upgrade(config, revision)
        for statement in statements:
            session.connection().execute(text(statement))


def _rows(database: Database) -> dict[str, list[dict[str, Any]]]:
    with database.read() as session:
        return {
            table: [
                dict(row)
                for row in session.connection().execute(text(f"SELECT * FROM {table}")).mappings()
            ]
            for table in TABLES
        }


def test_every_row_of_the_first_schema_is_kept(any_empty: Database) -> None:
    database = any_empty
    _to(database, "0001", *FIRST)
    before = _rows(database)
    assert upgrade(database)[:2] == ("0001", HEAD)
    after = _rows(database)
    for table, rows in before.items():
        kept = [{name: row[name] for name in rows[0]} for row in after[table]]
        assert kept == rows, table
    assert after["ai_overages"][0]["run_id"] is None
    assert after["ai_installation"][0]["first_generation"] == 0
    with database.write() as session:  # and it is whole: the references still hold
        session.connection().execute(text("DELETE FROM ai_sync_attempts"))
        if database.is_sqlite:
            assert session.connection().execute(text("PRAGMA foreign_key_check")).all() == []
    assert current_revision(database) == HEAD


def test_a_ledger_of_before_credits_had_lots_is_kept(any_empty: Database) -> None:
    _to(
        any_empty, "0008",
        "INSERT INTO ai_billables (id, type, external_id, created_at)"
        f" VALUES (1, 'user', '42', {T})",
        "INSERT INTO ai_credit_wallets (id, billable_id, currency, balance, created_at, updated_at)"
        f" VALUES (1, 1, 'usd', -5, {T}, {T})",
        "INSERT INTO ai_credit_transactions"
        " (id, wallet_id, kind, amount, balance_after, created_at)"
        f" VALUES (1, 1, 'deduct', -5, -5, {T})",
    )  # fmt: skip
    assert upgrade(any_empty)[:2] == ("0008", HEAD)
    with any_empty.read() as session:
        [entry] = session.exec(select(CreditTransaction))
    assert (entry.kind, entry.amount, entry.lots) == ("deduct", Decimal("-0.000000005"), None)
