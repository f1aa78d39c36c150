"""Whether events get to their sinks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from aimeter_cli.app import App
from aimeter_cli.db.clock import database_now
from aimeter_cli.doctor.check import Check
from aimeter_cli.repositories.deliveries import backlog

_SILENCE = timedelta(hours=1)
_CRON = "*/5 * * * * aimeter events deliver in a crontab runs it every five minutes."


def event_sinks(app: App) -> Iterator[Check]:
    """What was given up, and what has been waiting for more than an hour."""
    sinks = [sink.name for sink in app.settings.destinations]
    if not sinks:
        yield Check("events", "skipped", "no sink is configured")
        return
    with app.database.read() as session:
        _, _, failed, oldest = backlog(session, sinks)
        late = oldest is not None and database_now(session) - oldest > _SILENCE
    if failed:
        told = f"{failed} delivery(ies) given up"
        yield Check("events", "warning", told, "aimeter events list --failed shows why.")
    if late:
        told = f"not all delivered: the oldest is of {oldest:%Y-%m-%d %H:%M} UTC"
        yield Check("events", "warning", told, _CRON)
    if not failed and not late:
        yield Check("events", "ok", f"delivered to {', '.join(sinks)}")
