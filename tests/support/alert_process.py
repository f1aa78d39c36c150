"""What a process does that looks for alerts twice, while others do the same."""

from __future__ import annotations

from datetime import timedelta

from aimeter_cli.db.engine import Database
from aimeter_cli.services.alerts.check import check
from aimeter_cli.settings.alerts import alert_sinks
from aimeter_cli.settings.table import Settings
from tests.conftest import NOW


def main(database_url: str) -> list[str]:
    """Today and tomorrow; what it told."""
    database = Database(database_url)
    ops = {"name": "ops", "command": ["true"], "kinds": ["sync_paused"]}
    settings = Settings(alerts=alert_sinks([ops]))
    told: list[str] = [
        each.change
        for days in range(2)
        for each in check(database, settings, now=NOW + timedelta(days=days)).told
    ]
    database.dispose()
    return told
