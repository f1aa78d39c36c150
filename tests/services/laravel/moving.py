"""The import as tests call it, and every row of a database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text
from sqlmodel import select

from aimeter_cli.db.engine import Database
from aimeter_cli.models.registry import METADATA
from aimeter_cli.services.audit.run import run_audit
from aimeter_cli.services.laravel.reconciliation import Reconciliation
from aimeter_cli.services.laravel.run import Options, import_laravel
from aimeter_cli.settings.table import Settings
from tests.services.laravel.shop import Shop

NOW = datetime(2026, 11, 15, 12, tzinfo=UTC)
CHARGING = Settings(overage_behavior="charge")


def move(
    database: Database,
    shop: Shop | str,
    settings: Settings = CHARGING,
    now: datetime = NOW,
    **options: Any,
) -> Reconciliation:
    """Import; what came of it adds up, in its own words and the audit's."""
    given: dict[str, Any] = {"names": {}, "zone": UTC} | options
    url = shop if isinstance(shop, str) else shop.url
    report = import_laravel(database, settings, url, Options(**given), now=now)
    assert report.adds_up
    for tally in report.tables:
        assert tally.rows == tally.read == tally.imported + tally.there_already + tally.left_out
    audit = run_audit(database)
    assert audit.adds_up, audit.differences
    return report


def rows(database: Database, model: Any) -> list[Any]:
    with database.read() as session:
        return list(session.exec(select(model).order_by(model.id)))


def everything(database: Database) -> dict[str, list[Any]]:
    """Every row of every table."""
    with database.read() as session:
        connection = session.connection()
        return {
            name: sorted(map(tuple, connection.execute(text(f"SELECT * FROM {name}"))), key=repr)
            for name in METADATA.tables
        }


def counts(report: Reconciliation) -> dict[str, tuple[int, int, int]]:
    """(imported, there already, left out) of each table of which something was read."""
    return {
        each.table: (each.imported, each.there_already, each.left_out)
        for each in report.tables
        if each.read
    }


def reasons(report: Reconciliation) -> list[tuple[str, str, int, str]]:
    return [(each.table, each.reason, each.rows, each.ids) for each in report.left_out]
