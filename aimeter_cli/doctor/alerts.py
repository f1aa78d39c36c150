"""Whether those whom ``[[alerts]]`` names are told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from aimeter_cli.app import App
from aimeter_cli.db.clock import database_now
from aimeter_cli.doctor.check import Check
from aimeter_cli.services.alerts.check import COMMAND
from aimeter_cli.services.status import job_status
from aimeter_cli.settings.load import secret_of

_SILENCE = timedelta(hours=1)
_CRON = f"*/10 * * * * aimeter {COMMAND} in a crontab runs it every ten minutes."


def alerts(app: App) -> Iterator[Check]:
    """That an address is set for each, and that somebody looks."""
    sinks = app.settings.alerts
    if not sinks:
        yield Check(
            "alerts", "skipped", "nobody is told what needs a person",
            "[[alerts]] in aimeter.toml names who.",
        )  # fmt: skip
        return
    for sink in sinks:
        if sink.slack_env and not secret_of(sink.slack_env):
            yield Check(
                "alerts", "warning", f"{sink.name}: {sink.slack_env} is not set",
                "Put the webhook's address into the environment or .env.",
            )  # fmt: skip
    with app.database.read() as session:
        job, now = job_status(session, COMMAND), database_now(session)
    success = job.last_success_at
    if success is None:
        yield Check("alerts", "warning", f"{COMMAND} has never succeeded", _CRON)
    elif now - success > _SILENCE:
        told = f"{COMMAND} last succeeded {success:%Y-%m-%d %H:%M} UTC: more than an hour ago"
        yield Check("alerts", "warning", told, job.error or _CRON)
    else:
        names = ", ".join(sink.name for sink in sinks)
        yield Check("alerts", "ok", f"told to {names}; last looked {success:%Y-%m-%d %H:%M} UTC")
