"""Whether the sync runs, and how its last run went."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from aimeter_cli.app import App
from aimeter_cli.doctor.check import Check
from aimeter_cli.services.installation import sync_state
from aimeter_cli.services.jobs import last_run

COMMAND = "sync-stripe-overages"
_SILENCE = timedelta(hours=1)
_CRON = f"*/10 * * * * aimeter {COMMAND} in a crontab runs it every ten minutes."


def paused(app: App) -> Iterator[Check]:
    state = sync_state(app.database)
    if state.is_paused:
        yield Check("sync", "warning", f"paused: {state.paused_reason}", "aimeter sync resume")
    else:
        yield Check("sync", "ok", f"not paused; installation {state.install_id}")


def last_sync(app: App) -> Iterator[Check]:
    run = last_run(app.database, COMMAND)
    if run is None:
        yield Check("last sync", "warning", "it has never run", _CRON)
        return
    age = datetime.now(UTC) - run.started_at
    told = f"{run.started_at:%Y-%m-%d %H:%M} UTC on {run.host}, exit {run.exit_code}"
    if run.exit_code != 0:
        hint = run.error or "aimeter overages list --unsynced shows what is left."
        yield Check("last sync", "warning", told, hint)
    elif age > _SILENCE:
        yield Check("last sync", "warning", f"{told}: more than an hour ago", _CRON)
    else:
        yield Check("last sync", "ok", told)
