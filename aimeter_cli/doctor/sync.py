"""Whether the sync runs, and how its last run went."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from aimeter_cli.app import App
from aimeter_cli.db.clock import database_now
from aimeter_cli.doctor.check import Check
from aimeter_cli.services.installation import sync_state
from aimeter_cli.services.jobs import SYNC
from aimeter_cli.services.status import job_status

_SILENCE = timedelta(hours=1)
_CRON = f"*/10 * * * * aimeter {SYNC} in a crontab runs it every ten minutes."


def paused(app: App) -> Iterator[Check]:
    state = sync_state(app.database)
    if state.is_paused:
        yield Check("sync", "warning", f"paused: {state.paused_reason}", "aimeter sync resume")
    else:
        yield Check("sync", "ok", f"not paused; installation {state.install_id}")


def strategy(app: App) -> Iterator[Check]:
    """What sends overages, and when."""
    if app.settings.overage_sync_strategy == "immediate":
        told = f"immediate: with each usage; {SYNC} sends what did not get through"
    else:
        told = f"batch: {SYNC} sends them, and nothing else does"
    yield Check("strategy", "ok", told)


def last_sync(app: App) -> Iterator[Check]:
    with app.database.read() as session:
        job, now = job_status(session, SYNC), database_now(session)
    if job.started_at is None:
        yield Check("last sync", "warning", "it has never run", _CRON)
        return
    began = f"{job.started_at:%Y-%m-%d %H:%M} UTC on {job.host}"
    told = f"{began}, exit {job.exit_code}" if job.finished_at else f"{began}, not finished"
    success = job.last_success_at
    if job.exit_code:
        hint = job.error or "aimeter overages list --unsynced shows what is left."
        yield Check("last sync", "warning", told, hint)
    elif job.finished_at is None and now - job.started_at > _SILENCE:
        yield Check("last sync", "warning", f"{told}: it was killed, or hangs", _CRON)
    elif job.finished_at is not None and (success is None or now - success > _SILENCE):
        yield Check("last sync", "warning", f"{told}: more than an hour ago", _CRON)
    else:
        yield Check("last sync", "ok", told)
