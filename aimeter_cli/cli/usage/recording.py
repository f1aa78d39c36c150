"""What recording commands share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from aimeter_cli.cli.invocation import Invocation
from aimeter_cli.errors import AimeterError

if TYPE_CHECKING:
    from aimeter_cli.services.recording.record import Recorder


def recorder(run: Invocation) -> Recorder:
    from aimeter_cli.services.recording.record import Recorder

    return Recorder(run.app.database, run.app.settings, run.app.prices)


def sync_immediately(run: Invocation, billables: Iterable[str]) -> None:
    """With the strategy ``immediate``; a failing Stripe never fails the recording."""
    if run.app.settings.overage_sync_strategy != "immediate" or not billables:
        return
    from aimeter_cli.services.sync.immediate import sync_now
    from aimeter_cli.signals import stop_on_signals

    app = run.app
    try:
        with stop_on_signals() as stop:
            notices = sync_now(
                app.database, app.settings, app.driver, billables, now=run.now(), stop=stop
            )
    except AimeterError as error:
        notices = [f"not synced: {error.message}"]
    for notice in notices:
        run.console.warn(notice)
